import { describe, expect, test } from "vitest";
import { Speed, secondsLeft, span } from "./upload-speed";

describe("speed", () => {
  test("nothing is said before anything is known", () => {
    const speed = new Speed();
    expect(speed.rate(0)).toBeNull();
    speed.add(0, 0);
    speed.add(500, 1_000);
    expect(speed.rate(600)).toBeNull();
    expect(speed.rate(1_000)).toBe(1_000);
  });

  test("only the last seconds count", () => {
    const speed = new Speed();
    speed.add(0, 0);
    for (let second = 1; second <= 20; second += 1) speed.add(second * 1_000, 100);
    expect(speed.rate(20_000)).toBe(100);
    for (let second = 21; second <= 25; second += 1) speed.add(second * 1_000, 900);
    expect(speed.rate(25_000)).toBe(900);
  });

  test("what stands still comes to nothing", () => {
    const speed = new Speed();
    speed.add(0, 0);
    speed.add(1_000, 5_000);
    expect(speed.rate(7_000)).toBe(0);
    expect(secondsLeft(100, speed.rate(7_000))).toBeNull();
  });

  test("a pause does not make it slower", () => {
    const speed = new Speed();
    speed.add(0, 0);
    speed.add(1_000, 1_000);
    speed.stop();
    speed.add(60_000, 0);
    speed.add(61_000, 1_000);
    expect(speed.rate(61_000)).toBe(1_000);
  });
});

test.each([
  [0, "seconds", 5],
  [14, "seconds", 15],
  [55, "seconds", 55],
  [56, "minutes", 1],
  [61, "minutes", 2],
  [3_540, "minutes", 59],
  [3_541, "hours", 1],
  [7_201, "hours", 3],
] as const)("%d seconds are said as %s, %d", (seconds, unit, count) => {
  expect(span(seconds)).toEqual({ unit, count });
});
