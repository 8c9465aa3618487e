import { describe, expect, test } from "vitest";
import { pathText, treeOf, treeOfEntries, treeOfPicked } from "./upload-tree";

/** Entries as browsers give them: a folder's in portions of 100. */
const PORTION = 100;

function file(name: string): FileSystemEntry {
  return {
    isFile: true,
    isDirectory: false,
    name,
    file: (resolve: (file: File) => void) => resolve(new File(["x"], name)),
  } as unknown as FileSystemEntry;
}

function folder(name: string, inside: FileSystemEntry[]): FileSystemEntry {
  return {
    isFile: false,
    isDirectory: true,
    name,
    createReader: () => {
      let at = 0;
      return {
        readEntries: (resolve: (entries: FileSystemEntry[]) => void) => {
          const portion = inside.slice(at, at + PORTION);
          at += portion.length;
          queueMicrotask(() => resolve(portion));
        },
      };
    },
  } as unknown as FileSystemEntry;
}

describe("what was dropped", () => {
  test("a folder is read until it gives nothing more", async () => {
    const many = Array.from({ length: 1_000 }, (_, at) => file(`${at}.txt`));
    const tree = await treeOfEntries([folder("many", many)]);
    expect(tree.files).toHaveLength(1_000);
    expect(tree.files[999]?.file.name).toBe("999.txt");
    expect(tree.files.every(({ path }) => pathText(path) === "many")).toBe(true);
  });

  test("empty folders are folders, and files beside folders stay outside", async () => {
    const tree = await treeOfEntries([
      file("loose.txt"),
      folder("a", [folder("empty", []), folder("b", [file("deep.txt")])]),
    ]);
    expect(tree.folders.map(pathText)).toEqual(["a", "a/empty", "a/b"]);
    expect(tree.files.map(({ path, file }) => [pathText(path), file.name])).toEqual([
      ["", "loose.txt"],
      ["a/b", "deep.txt"],
    ]);
  });

  test("a tree of two hundred folders in each other is walked to its end", async () => {
    let entry = file("bottom.txt");
    for (let depth = 200; depth > 0; depth -= 1) entry = folder(`d${depth}`, [entry]);
    const tree = await treeOfEntries([entry]);
    expect(tree.folders).toHaveLength(200);
    expect(tree.files[0]?.path).toHaveLength(200);
    expect(tree.folders[199]?.[199]).toBe("d200");
  });

  test("what can't be read fails the walk", async () => {
    const broken = {
      ...file("a"),
      file: (_: unknown, reject: (error: Error) => void) => reject(new Error("gone")),
    } as unknown as FileSystemEntry;
    await expect(treeOfEntries([broken])).rejects.toThrow("gone");
  });
});

describe("folders of files", () => {
  test("each is there once, parents first", () => {
    const tree = treeOf([
      { path: ["a", "b", "c"], file: 1 },
      { path: ["a", "b"], file: 2 },
      { path: ["d"], file: 3 },
    ]);
    expect(tree.folders.map(pathText)).toEqual(["a", "d", "a/b", "a/b/c"]);
  });

  test("a letter and its accent are one name, however they are written", () => {
    const tree = treeOf([
      { path: ["cafe\u0301"], file: 1 },
      { path: ["caf\u00e9"], file: 2 },
    ]);
    expect(tree.folders).toEqual([["caf\u00e9"]]);
  });

  test("a picker's files say their way; picked alone they have none", () => {
    const tree = treeOfPicked([
      { name: "a.txt", webkitRelativePath: "top/sub/a.txt" },
      { name: "b.txt", webkitRelativePath: "" },
      { name: "c.txt" },
    ]);
    expect(tree.files.map(({ path }) => path)).toEqual([["top", "sub"], [], []]);
    expect(tree.folders.map(pathText)).toEqual(["top", "top/sub"]);
  });
});
