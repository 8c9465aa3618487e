import { expect, test } from "vitest";
import { span } from "./span";

test.each([
  [0, "0 sec", "0秒"],
  [3, "3 sec", "3秒"],
  [90, "2 min", "2分钟"],
  [7200, "2 hr", "2小时"],
  [200_000, "2 days", "2天"],
])("%d seconds are %s", (seconds, en, zh) => {
  expect(span(seconds, "en")).toBe(en);
  expect(span(seconds, "zh-CN")).toBe(zh);
});
