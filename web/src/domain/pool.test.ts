import { expect, test } from "vitest";
import { pooled } from "./pool";

test("no more are under way than allowed, and one that fails stops no other", async () => {
  let now = 0;
  let most = 0;
  const { done, failed } = await pooled([1, 2, 3, 4, 5], 2, async (item) => {
    now += 1;
    most = Math.max(most, now);
    await Promise.resolve();
    now -= 1;
    if (item === 2) throw new Error("two");
    return item * 10;
  });
  expect(most).toBe(2);
  expect(done.map((one) => one.result).sort()).toEqual([10, 30, 40, 50]);
  expect(failed.map((one) => one.item)).toEqual([2]);
});
