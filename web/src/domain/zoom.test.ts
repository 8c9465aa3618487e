import { describe, expect, test } from "vitest";
import { fitting, kept, overflows, zoomed } from "./zoom";

const STAGE = { width: 800, height: 600 };
const LARGE = { width: 4000, height: 1500 };
const SMALL = { width: 80, height: 60 };

describe("looking closely", () => {
  test.each([
    ["a large one is made to fit", LARGE, false, 0.2],
    ["a small one stays as it is", SMALL, false, 1],
    ["what has no size of its own fills the stage", SMALL, true, 10],
    ["nothing is what it is", { width: 0, height: 0 }, false, 1],
  ])("%s", (_name, picture, enlarge, scale) => {
    expect(fitting(STAGE, picture, enlarge)).toBeCloseTo(scale);
  });

  test("what is under the pointer stays there", () => {
    const at = { x: 100, y: 0 };
    const before = { scale: 1, x: -50, y: 20 };
    const after = zoomed(before, 2, at, STAGE, LARGE);
    expect(after.scale).toBe(2);
    expect((at.x - after.x) / after.scale).toBeCloseTo((at.x - before.x) / before.scale);
  });

  test("it ends at fitting and at large pixels", () => {
    const view = { scale: 0.25, x: 0, y: 0 };
    expect(zoomed(view, 0.01, { x: 0, y: 0 }, STAGE, LARGE).scale).toBeCloseTo(0.2);
    expect(zoomed(view, 1000, { x: 0, y: 0 }, STAGE, LARGE).scale).toBe(16);
    expect(zoomed({ scale: 2, x: 0, y: 0 }, 0.01, { x: 0, y: 0 }, STAGE, SMALL).scale).toBe(1);
  });

  test("it is never shoved out of sight", () => {
    expect(kept({ scale: 1, x: 9999, y: -9999 }, STAGE, LARGE)).toEqual({
      scale: 1,
      x: 1600,
      y: -450,
    });
    expect(kept({ scale: 1, x: 30, y: 30 }, STAGE, SMALL)).toEqual({ scale: 1, x: 0, y: 0 });
  });

  test("what fits can't be moved", () => {
    expect(overflows({ scale: 0.2, x: 0, y: 0 }, STAGE, LARGE)).toBe(false);
    expect(overflows({ scale: 0.3, x: 0, y: 0 }, STAGE, LARGE)).toBe(true);
  });
});
