import { describe, expect, test } from "vitest";
import { linkable, pastedName, pictureFolder } from "./pictures";

describe("pictures", () => {
  test.each([
    ["cat.PNG", "image/png", "cat.PNG"],
    ["猫", "image/jpeg", "猫.jpg"],
    ["", "image/gif", "picture.gif"],
    ["drawing.svg", "image/svg+xml", null],
    ["page.html", "image/png", null],
    ["notes.txt", "text/plain", null],
  ])("%s of type %s is stored as %s", (name, type, stored) => {
    expect(linkable(name, type)).toBe(stored);
  });

  test("what is pasted is called after its time, and keeps a name of its own", () => {
    const at = new Date(2026, 0, 2, 3, 4, 5);
    expect(pastedName("image.png", at)).toBe("2026-01-02 030405.png");
    expect(pastedName("cat.png", at)).toBe("cat.png");
  });

  test("their folder is the oldest that has its name in any language", () => {
    const row = (kind: string, name: string, day: number) => ({
      ...{ kind, name },
      created_at: `2026-01-0${day}T08:00:00Z`,
    });
    expect(pictureFolder([])).toBe(null);
    expect(pictureFolder([row("folder", "trip", 1), row("file", "Pictures", 2)])).toBe(null);
    const [chinese, english] = [row("folder", "图床", 3), row("folder", "Pictures", 2)];
    expect(pictureFolder([row("folder", "Pictures 2", 1), chinese])).toBe(chinese);
    expect(pictureFolder([chinese, english])).toBe(english);
  });
});
