/** Cut, copy and paste. */
import { ClipboardCopy, ClipboardPaste, Scissors } from "@lucide/vue";
import { i18n } from "@/i18n";
import { clipboard } from "@/state/clipboard";
import { say } from "@/state/toasts";
import type { Action } from "./action";
import { live, shownFolder } from "./context";
import { transfer } from "./transfer";

function take(how: "move" | "copy"): Action["run"] {
  return ({ nodes }) => {
    clipboard.value = { how, nodes };
    const words = { name: nodes[0]?.name ?? "", count: nodes.length };
    say(i18n.global.t(`actions.taken.${how}`, words, nodes.length));
  };
}

export const cut: Action = {
  id: "cut",
  label: "actions.cut",
  icon: Scissors,
  keys: ["Mod+X"],
  group: "place",
  when: live,
  run: take("move"),
};

export const takeCopy: Action = {
  id: "take-copy",
  label: "actions.take-copy",
  icon: ClipboardCopy,
  keys: ["Mod+C"],
  group: "place",
  // What is selected as text is copied as text.
  when: (context) => live(context) && String(getSelection() ?? "") === "",
  run: take("copy"),
};

export const paste: Action = {
  id: "paste",
  label: "actions.paste",
  icon: ClipboardPaste,
  keys: ["Mod+V"],
  group: "list",
  when: (context) => clipboard.value !== null && shownFolder(context) !== null,
  run: async (context) => {
    const taken = clipboard.value;
    const folder = context.listing?.folder.value;
    if (!taken || !folder) return;
    // What was cut is pasted once.
    if (taken.how === "move") clipboard.value = null;
    const name = folder.parent === null ? i18n.global.t("frame.nav.files") : folder.name;
    await transfer(taken.how, taken.nodes, { id: folder.id, name }, context.listing);
  },
};
