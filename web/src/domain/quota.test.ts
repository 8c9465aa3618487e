import { expect, test } from "vitest";
import { quotaOf, quotaText } from "./quota";

test.each([
  ["10", 10 * 1024 ** 3],
  ["0", 0],
  [" 0.5 ", 1024 ** 3 / 2],
  ["1,5", 1.5 * 1024 ** 3],
  ["", null],
  ["-1", null],
  ["1e3", null],
  ["ten", null],
  ["99999999999", null],
])("%j GB are %j bytes", (text, bytes) => {
  expect(quotaOf(text)).toBe(bytes);
});

test("a quota is shown as it can be typed again", () => {
  expect(quotaText(10 * 1024 ** 3)).toBe("10");
  expect(quotaText(1.5 * 1024 ** 3)).toBe("1.5");
  expect(quotaText(0)).toBe("0");
});
