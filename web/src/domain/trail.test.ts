import { expect, test } from "vitest";
import { trailOf } from "./trail";

test("the way to a folder is what the history says, if it leads there", () => {
  const trail = [
    { id: "1", name: "a" },
    { id: "2", name: "b" },
  ];
  expect(trailOf({ trail, scroll: null }, "2")).toEqual(trail);
  for (const state of [null, {}, { trail: "2" }, { trail: [{ id: 2 }] }, { trail: [null] }]) {
    expect(trailOf(state, "2")).toEqual([]);
  }
  expect(trailOf({ trail }, "1")).toEqual([]);
});
