import { expect, test } from "vitest";
import { matches, type Pressed, printed } from "./keys";

const pressed = (key: string, more: Partial<Pressed> = {}): Pressed => ({
  key,
  ctrlKey: false,
  metaKey: false,
  shiftKey: false,
  altKey: false,
  ...more,
});

test("a combination is pressed only when nothing else is held", () => {
  expect(matches(pressed("a", { ctrlKey: true }), "Mod+A", false)).toBe(true);
  expect(matches(pressed("A", { ctrlKey: true, shiftKey: true }), "Mod+A", false)).toBe(false);
  expect(matches(pressed("a"), "Mod+A", false)).toBe(false);
  expect(matches(pressed("n", { ctrlKey: true }), "N", false)).toBe(false);
  expect(matches(pressed("n", { altKey: true }), "N", false)).toBe(false);
  expect(matches(pressed(" "), "Space", false)).toBe(true);
  expect(matches(pressed(" ", { ctrlKey: true }), "Space", false)).toBe(false);
  expect(matches(pressed("ArrowUp", { altKey: true }), "Alt+ArrowUp", false)).toBe(true);
});

test("command takes the place of control on Apple's machines", () => {
  expect(matches(pressed("a", { metaKey: true }), "Mod+A", true)).toBe(true);
  expect(matches(pressed("a", { ctrlKey: true }), "Mod+A", true)).toBe(false);
});

test("a sign is the same with and without the shift key", () => {
  expect(matches(pressed("?", { shiftKey: true }), "?", false)).toBe(true);
  expect(matches(pressed("?"), "?", false)).toBe(true);
});

test("keys are printed as they stand on the keyboard", () => {
  expect(printed("Mod+A", false)).toBe("Ctrl+A");
  expect(printed("Mod+A", true)).toBe("⌘A");
  expect(printed("Delete", false)).toBe("Del");
  expect(printed("Alt+ArrowUp", false)).toBe("Alt+↑");
});
