import { expect, test } from "vitest";
import { rate, size } from "./bytes";

test("sizes have three digits at most", () => {
  expect(size(0, "en")).toBe("0 B");
  expect(size(999, "en")).toBe("999 B");
  expect(size(1000, "en")).toBe("0.98 KB");
  expect(size(1024, "en")).toBe("1 KB");
  expect(size(1536, "en")).toBe("1.5 KB");
  expect(size(123 * 1024 * 1024, "en")).toBe("123 MB");
  expect(size(12.34 * 1024 ** 3, "en")).toBe("12.3 GB");
  expect(size(Number.MAX_SAFE_INTEGER, "en")).toBe("8 PB");
});

test("rates are sizes in a second", () => {
  expect(rate(18 * 1024 * 1024, "zh-CN")).toBe("18 MB/s");
});
