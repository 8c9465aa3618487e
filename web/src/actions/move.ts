/** Moves to a folder that is chosen in a dialog. */
import { FolderInput } from "@lucide/vue";
import { i18n } from "@/i18n";
import { ask } from "@/state/dialogs";
import type { Action } from "./action";
import { live } from "./context";
import { transfer } from "./transfer";

export const move: Action = {
  id: "move",
  label: "actions.move",
  icon: FolderInput,
  group: "place",
  bar: true,
  when: live,
  run: async ({ nodes, listing }) => {
    const { t } = i18n.global;
    const to = await ask("folder", {
      title: t(
        "actions.move-title",
        { name: nodes[0]?.name ?? "", count: nodes.length },
        nodes.length,
      ),
      action: t("actions.move-here"),
      without: nodes.filter((node) => node.kind === "folder").map((node) => node.id),
    });
    if (to) await transfer("move", nodes, to, listing);
  },
};
