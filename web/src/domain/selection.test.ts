import { expect, test } from "vitest";
import { all, NOTHING, next, only, present, range, toggle } from "./selection";

const rows = ["a", "b", "c", "d", "e"].map((id) => ({ id }));
const indexOf = (id: string): number => rows.findIndex((row) => row.id === id);
const ids = (selection: { ids: ReadonlySet<string> }): string => [...selection.ids].sort().join("");

test("a range goes from its anchor, either way, and moves with its end", () => {
  const begun = only("c");
  expect(ids(range(begun, rows, indexOf, "e"))).toBe("cde");
  expect(ids(range(range(begun, rows, indexOf, "e"), rows, indexOf, "b"))).toBe("bc");
  expect(ids(range(toggle(only("a"), "d"), rows, indexOf, "e", true))).toBe("ade");
});

test("a range whose anchor is gone is the row itself", () => {
  expect(ids(range({ ids: new Set(), anchor: "x" }, rows, indexOf, "b"))).toBe("b");
  expect(ids(range(NOTHING, rows, indexOf, "b"))).toBe("b");
});

test("toggling adds and takes away, and begins a new range", () => {
  expect(ids(toggle(only("a"), "b"))).toBe("ab");
  expect(ids(toggle(toggle(only("a"), "b"), "a"))).toBe("b");
  expect(toggle(only("a"), "b").anchor).toBe("b");
});

test("everything is everything, and what is gone is not chosen", () => {
  expect(ids(all(rows))).toBe("abcde");
  expect(ids(present(all(rows), (id) => id > "b"))).toBe("cde");
  const same = only("a");
  expect(present(same, () => true)).toBe(same);
});

test("after rows have gone the one that follows is looked at, or the last before them", () => {
  expect(next(rows, 1, (id) => id === "b" || id === "c")).toBe("d");
  expect(next(rows, 3, (id) => id >= "d")).toBe("c");
  expect(next(rows, 0, () => true)).toBe(null);
});
