/** Makes a link of a folder or file. */
import { Share2 } from "@lucide/vue";
import { ask } from "@/state/dialogs";
import type { Action } from "./action";
import { live, one } from "./context";

export const share: Action = {
  id: "share",
  label: "actions.share",
  icon: Share2,
  group: "give",
  bar: true,
  when: (context) => live(context) && one(context) !== null,
  run: async (context) => {
    const node = one(context);
    if (node) await ask("share", { node });
  },
};
