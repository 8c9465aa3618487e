/** Copies to a folder that is chosen in a dialog. */
import { Copy } from "@lucide/vue";
import { i18n } from "@/i18n";
import { ask } from "@/state/dialogs";
import type { Action } from "./action";
import { live } from "./context";
import { transfer } from "./transfer";

export const copy: Action = {
  id: "copy",
  label: "actions.copy",
  icon: Copy,
  group: "place",
  bar: true,
  when: live,
  run: async ({ nodes, listing }) => {
    const { t } = i18n.global;
    const to = await ask("folder", {
      title: t(
        "actions.copy-title",
        { name: nodes[0]?.name ?? "", count: nodes.length },
        nodes.length,
      ),
      action: t("actions.copy-here"),
      without: nodes.filter((node) => node.kind === "folder").map((node) => node.id),
    });
    if (to) await transfer("copy", nodes, to, listing);
  },
};
