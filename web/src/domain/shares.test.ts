import { describe, expect, test } from "vitest";
import {
  brief,
  codeIn,
  downloadsOf,
  endOf,
  isCode,
  lifetimeOf,
  linkOf,
  minute,
  stateOf,
} from "./shares";

const now = new Date("2026-05-10T12:00:00Z");
const terms = {
  revoked: false,
  expires_at: "2026-05-11T12:00:00Z",
  downloads_left: null as number | null,
  node: { parent: "1" as string | null },
};

test("a link is active until it is withdrawn, over, used up, or what it leads to is in the trash", () => {
  expect(stateOf(terms, now)).toBe("active");
  expect(stateOf({ ...terms, expires_at: null }, now)).toBe("active");
  expect(stateOf({ ...terms, expires_at: now.toISOString() }, now)).toBe("expired");
  expect(stateOf({ ...terms, downloads_left: 0 }, now)).toBe("used-up");
  expect(stateOf({ ...terms, node: { parent: null } }, now)).toBe("gone");
  expect(stateOf({ ...terms, revoked: true, downloads_left: 0 }, now)).toBe("withdrawn");
});

describe("lengths of life", () => {
  test("end so many days from now, or never", () => {
    expect(endOf("1", now)).toBe("2026-05-11T12:00:00.000Z");
    expect(endOf("never", now)).toBe(null);
  });

  test("are known again while they are fresh", () => {
    expect(lifetimeOf("2026-05-17T11:59:00Z", now)).toBe("7");
    expect(lifetimeOf("2026-05-17T09:00:00Z", now)).toBe(null);
    expect(lifetimeOf(null, now)).toBe("never");
  });
});

test("codes are 4 to 16 letters and digits", () => {
  for (const [text, fits] of [
    ["ab12", true],
    [" Open42 ", true],
    ["abc", false],
    ["a".repeat(17), false],
    ["密码密码", false],
    ["ab 12", false],
  ] as const) {
    expect(isCode(text), text).toBe(fits);
  }
});

test("a limit is a number of downloads, or nothing for any number", () => {
  expect(downloadsOf("")).toBe(null);
  expect(downloadsOf(" 12 ")).toBe(12);
  for (const text of ["0", "-1", "1.5", "1000001", "many"]) {
    expect(downloadsOf(text), text).toBe(undefined);
  }
});

test("a code in a link is in its fragment, and is found there again", () => {
  expect(linkOf("https://a.example", "0123")).toBe("https://a.example/s/0123");
  expect(linkOf("https://a.example", "0123", "k7m2")).toBe("https://a.example/s/0123#k7m2");
  expect(codeIn("#k7m2")).toBe("k7m2");
  for (const hash of ["", "#", "#%", "#content here", "#abc"]) expect(codeIn(hash)).toBe("");
});

test("a long name in a title keeps its beginning and its end", () => {
  expect(brief("a.txt")).toBe("a.txt");
  const short = brief(`${"👍".repeat(60)}最终版本.txt`);
  expect(short).toBe(`${"👍".repeat(30)}…${"👍".repeat(6)}最终版本.txt`);
});

test("an end is told to the minute", () => {
  expect(minute(new Date(2026, 4, 3, 14, 5, 33).toISOString(), "en-GB")).toBe("3 May 2026, 14:05");
});
