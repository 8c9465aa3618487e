import { describe, expect, test } from "vitest";
import { linkable, pastedName } from "./pictures";

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
});
