import { expect, test } from "vitest";
import { beginning, collapse, dayOf, searchTerms, totals } from "./lists";

test("days are counted from midnight, and a week is seven of them", () => {
  const now = new Date(2026, 4, 10, 9, 30);
  const day = (...at: [number, number, number, number, number]): string =>
    dayOf(new Date(...at).toISOString(), now);
  expect(day(2026, 4, 10, 0, 0)).toBe("today");
  expect(day(2026, 4, 9, 23, 59)).toBe("yesterday");
  expect(day(2026, 4, 9, 0, 0)).toBe("yesterday");
  expect(day(2026, 4, 8, 23, 59)).toBe("week");
  expect(day(2026, 4, 3, 0, 0)).toBe("week");
  expect(day(2026, 4, 2, 23, 59)).toBe("earlier");
});

test("typing goes to the row that begins so", () => {
  const rows = ["apple", "bird", "Berlin", "cat", "文件"].map((name) => ({ name }));
  expect(beginning(rows, "b", 0)).toBe(1);
  expect(beginning(rows, "b", 1)).toBe(2);
  expect(beginning(rows, "b", 2)).toBe(1);
  expect(beginning(rows, "bb", 1)).toBe(2);
  expect(beginning(rows, "be", 1)).toBe(2);
  expect(beginning(rows, "be", 2)).toBe(2);
  expect(beginning(rows, "文", 0)).toBe(4);
  expect(beginning(rows, "x", 0)).toBe(null);
  expect(beginning([], "x", 0)).toBe(null);
});

test("a long path is shortened in its middle", () => {
  expect(collapse(["a", "b"], 3)).toEqual({ first: ["a", "b"], hidden: [], last: [] });
  expect(collapse(["a", "b", "c", "d", "e"], 3)).toEqual({
    first: ["a"],
    hidden: ["b", "c"],
    last: ["d", "e"],
  });
});

test("totals have folders, files and bytes", () => {
  const rows = [
    { kind: "folder", size: null },
    { kind: "file", size: 3 },
    { kind: "file", size: 4 },
  ];
  expect(totals(rows)).toEqual({ folders: 1, files: 2, bytes: 7 });
});

test("terms are those that the drive looks for", () => {
  expect(searchTerms("")).toBe("");
  expect(searchTerms(" \u3000 ")).toBe("");
  expect(searchTerms("  li\u3000 lei ")).toBe("li lei");
  expect(searchTerms("a b c d e f g h i")).toBe("a b c d e f g h");
});
