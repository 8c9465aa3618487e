/** Shows the folder that something is in. */
import { FolderSearch } from "@lucide/vue";
import { router } from "@/router";
import { revealIn } from "@/state/folder";
import type { Action } from "./action";
import { live, one } from "./context";

export const locate: Action = {
  id: "locate",
  label: "actions.locate",
  icon: FolderSearch,
  group: "open",
  when: (context) =>
    live(context) && context.place !== "folder" && typeof one(context)?.parent === "string",
  run: async (context) => {
    const node = one(context);
    if (!node?.parent) return;
    revealIn(node.parent, node.id);
    await router.push({ name: "files", params: { folder: node.parent } });
  },
};
