/** Keys that do what actions do, wherever somebody is on the page. */
import { matches } from "@/domain/keys";
import { ask } from "@/state/dialogs";
import { apple } from "@/state/platform";
import { contextNow } from "./context";
import { actions, perform } from "./registry";

/** Something is open that has keys of its own. */
const OVER = "[role=dialog], [role=alertdialog], [role=menu], [role=listbox]";
/** What is typed into. */
const TYPED = "input, textarea, select, [contenteditable=true]";
/** What does something itself when Enter or the space bar is pressed. */
const PRESSED = "button, a, summary, [role=button], [role=radio], [role=switch], [role=checkbox]";

function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing) return;
  const target = event.target as HTMLElement;
  const checkbox = target instanceof HTMLInputElement && target.type === "checkbox";
  if ((target.closest(TYPED) && !checkbox) || document.querySelector(OVER)) return;
  const own = event.key === "Enter" || event.key === " ";
  if (own && (checkbox || target.closest(PRESSED))) return;
  if (matches(event, "?", apple)) {
    event.preventDefault();
    void ask("keys", {});
    return;
  }
  const context = contextNow();
  const action = actions.find(
    (one) => one.keys?.some((keys) => matches(event, keys, apple)) && one.when(context),
  );
  if (!action) return;
  // A key that is held down does it once.
  event.preventDefault();
  if (!event.repeat) perform(action, context);
}

/** Listens until the returned function is called. */
export function listenToKeys(): () => void {
  document.addEventListener("keydown", onKey);
  return () => document.removeEventListener("keydown", onKey);
}
