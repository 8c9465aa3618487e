/** Opens a folder, or shows a file. */
import { FolderOpen } from "@lucide/vue";
import { router } from "@/router";
import type { Action } from "./action";
import { live, one } from "./context";
import { preview } from "./preview";

export const open: Action = {
  id: "open",
  label: "actions.open",
  icon: FolderOpen,
  keys: ["Enter"],
  group: "open",
  when: (context) => live(context) && one(context) !== null,
  run: async (context) => {
    const node = one(context);
    if (node?.kind === "folder") await router.push({ name: "files", params: { folder: node.id } });
    else await preview.run(context);
  },
};
