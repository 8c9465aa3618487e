import { describe, expect, test } from "vitest";
import { type FolderDoor, Folders } from "./upload-folders";

/** A drive with folders, and what it was asked. */
function drive(there: Record<string, Record<string, string>> = {}, files: string[] = []) {
  const asked: string[] = [];
  let next = 1;
  const door: FolderDoor = {
    make: async (parent, name) => {
      asked.push(`make ${parent}/${name}`);
      await Promise.resolve();
      const inside = there[parent] ?? {};
      there[parent] = inside;
      if (name in inside || files.includes(name)) return null;
      const id = `n${next++}`;
      inside[name] = id;
      return id;
    },
    list: async (parent) => {
      asked.push(`list ${parent}`);
      return new Map(Object.entries(there[parent] ?? {}));
    },
    taken: (name) => new Error(`${name} is a file`),
  };
  return { asked, door, there };
}

describe("folders of an upload", () => {
  test("one whose name has blanks around it is found again as the drive calls it", async () => {
    const { asked, door } = drive({ root: { Photos: "n9" } });
    expect(await new Folders("root", door).id([" Photos\u3000"])).toBe("n9");
    expect(asked).toEqual(["make root/Photos", "list root"]);
  });

  test("each is made once, parents first, however many ask at the same time", async () => {
    const { asked, door } = drive();
    const folders = new Folders("root", door);
    const ids = await Promise.all([
      folders.id(["a", "b"]),
      folders.id(["a", "c"]),
      folders.id(["a", "b"]),
      folders.id(["a"]),
      folders.id([]),
    ]);
    expect(asked.filter((line) => line.startsWith("make")).sort()).toEqual([
      "make n1/b",
      "make n1/c",
      "make root/a",
    ]);
    expect(asked[0]).toBe("make root/a");
    expect(ids[0]).toBe(ids[2]);
    expect(ids[3]).toBe("n1");
    expect(ids[4]).toBe("root");
  });

  test("one that is there is entered; its neighbours are looked up without being made", async () => {
    const { asked, door } = drive({ root: { a: "old" }, old: { x: "ox", y: "oy" } });
    const folders = new Folders("root", door);
    expect(await folders.id(["a", "x"])).toBe("ox");
    expect(await folders.id(["a", "y"])).toBe("oy");
    expect(asked).toEqual(["make root/a", "list root", "make old/x", "list old"]);
  });

  test("one that somebody else made meanwhile is found", async () => {
    const { door, there } = drive({ root: { a: "old" } });
    const folders = new Folders("root", door);
    expect(await folders.id(["a"])).toBe("old");
    (there.root as Record<string, string>).b = "theirs";
    expect(await folders.id(["b"])).toBe("theirs");
  });

  test("a file of the name is in the way, and says so", async () => {
    const { door } = drive({}, ["a"]);
    await expect(new Folders("root", door).id(["a", "b"])).rejects.toThrow("a is a file");
  });

  test("what failed is tried again when it is asked for", async () => {
    const { door } = drive();
    let fails = true;
    const folders = new Folders("root", {
      ...door,
      make: async (parent, name) => {
        if (fails) throw new Error("away");
        return door.make(parent, name);
      },
    });
    await expect(folders.id(["a", "b"])).rejects.toThrow("away");
    fails = false;
    expect(await folders.id(["a", "b"])).toBe("n2");
  });
});
