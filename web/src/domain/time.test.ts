import { expect, test } from "vitest";
import { clock, relative, short } from "./time";

const now = new Date(2026, 4, 10, 15, 0);

test("a list shows the hour of today, the day of this year, the year of what is older", () => {
  expect(short(new Date(2026, 4, 10, 9, 5).toISOString(), now, "en-GB")).toBe("09:05");
  expect(short(new Date(2026, 1, 3).toISOString(), now, "en-GB")).toBe("3 Feb");
  expect(short(new Date(2024, 1, 3).toISOString(), now, "en-GB")).toBe("3 Feb 2024");
});

test("times from now are in the unit that fits", () => {
  expect(relative(new Date(2026, 4, 13, 15, 0).toISOString(), now, "en")).toBe("in 3 days");
  expect(relative(new Date(2026, 4, 10, 13, 0).toISOString(), now, "en")).toBe("2 hours ago");
});

test("durations are clocks", () => {
  expect(clock(14)).toBe("0:14");
  expect(clock(3723)).toBe("1:02:03");
  expect(clock(-1)).toBe("0:00");
});
