import { expect, test } from "vitest";
import { extension, parts, stemLength } from "./names";

test("the end of a name and its extension stay whole", () => {
  expect(parts("a long report of the year 2026.docx")).toEqual({
    head: "a long report of the year 2",
    tail: "026.docx",
  });
  expect(parts("项目计划书最终版本第三稿.pdf")).toEqual({
    head: "项目计划书最终版本",
    tail: "第三稿.pdf",
  });
  expect(parts("a")).toEqual({ head: "a", tail: "" });
});

test("no character is cut in half", () => {
  const { head, tail } = parts("👍👍👍👍👍👍");
  expect(head + tail).toBe("👍👍👍👍👍👍");
  expect([...head].every((character) => character === "👍")).toBe(true);
});

test("extensions are in small letters, and names that begin with a dot have none", () => {
  expect(extension("A.B.TAR")).toBe("tar");
  expect(extension(".profile")).toBe("");
  expect(extension("none")).toBe("");
  expect(stemLength("photo.jpeg")).toBe(5);
  expect(stemLength(".profile")).toBe(8);
});
