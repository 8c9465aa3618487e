/** Keys that do something: written `Mod+A`, `Shift+F10`, `Delete`, `?`; `Mod` is Command on Apple's machines, Control elsewhere. */

/** What of a key event matters. */
export interface Pressed {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  shiftKey: boolean;
  altKey: boolean;
}

const NAMED: Record<string, string> = { Space: " ", Plus: "+" };

/** Is this combination pressed, and no other? */
export function matches(pressed: Pressed, combination: string, apple: boolean): boolean {
  const wanted = combination.split("+");
  const last = wanted.pop() ?? "";
  const key = NAMED[last] ?? last;
  if (pressed.key.toLowerCase() !== key.toLowerCase()) return false;
  const mod = apple ? pressed.metaKey : pressed.ctrlKey;
  const other = apple ? pressed.ctrlKey : pressed.metaKey;
  if (other || mod !== wanted.includes("Mod") || pressed.altKey !== wanted.includes("Alt")) {
    return false;
  }
  // Signs such as `?` need the shift key on some keyboards and not on others.
  const sign = key.length === 1 && key.toLowerCase() === key.toUpperCase() && key !== " ";
  return sign || pressed.shiftKey === wanted.includes("Shift");
}

const PRINTED: Record<string, string> = {
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
  Delete: "Del",
  Escape: "Esc",
};
const PRINTED_APPLE: Record<string, string> = {
  ...PRINTED,
  Delete: "⌦",
  Backspace: "⌫",
  Enter: "↩",
  Mod: "⌘",
  Shift: "⇧",
  Alt: "⌥",
};

/** As it stands on the keyboard: `Ctrl+A`, `⌘A`. */
export function printed(combination: string, apple: boolean): string {
  const words = apple ? PRINTED_APPLE : { ...PRINTED, Mod: "Ctrl" };
  return combination
    .split("+")
    .map((part) => (words as Record<string, string>)[part] ?? part)
    .join(apple ? "" : "+");
}
