/** Goes to the folder that this one is in. */
import { ArrowUp } from "@lucide/vue";
import { router } from "@/router";
import { revealIn } from "@/state/folder";
import type { Action } from "./action";

export const up: Action = {
  id: "up",
  label: "actions.up",
  icon: ArrowUp,
  keys: ["Backspace", "Alt+ArrowUp"],
  group: "list",
  when: (context) =>
    context.place === "folder" && typeof context.listing?.folder.value?.parent === "string",
  run: async (context) => {
    const folder = context.listing?.folder.value;
    if (!folder?.parent) return;
    revealIn(folder.parent, folder.id);
    await router.push({ name: "files", params: { folder: folder.parent } });
  },
};
