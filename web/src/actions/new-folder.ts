/** Makes a folder in the one that is shown. */
import { FolderPlus } from "@lucide/vue";
import { api, done } from "@/api/client";
import { i18n } from "@/i18n";
import { changed } from "@/state/changes";
import { ask } from "@/state/dialogs";
import { words } from "@/state/toasts";
import type { Action } from "./action";
import { shownFolder } from "./context";

export const newFolder: Action = {
  id: "new-folder",
  label: "actions.new-folder",
  icon: FolderPlus,
  keys: ["N"],
  group: "list",
  when: (context) => shownFolder(context) !== null,
  run: async (context) => {
    const { t } = i18n.global;
    const folder = shownFolder(context);
    const { listing } = context;
    if (folder === null || !listing) return;
    let made: string | null = null;
    await ask("name", {
      title: t("actions.new-folder"),
      label: t("common.name"),
      value: t("actions.new-folder-name"),
      action: t("actions.make"),
      submit: async (name) => {
        try {
          const params = { path: { node: folder } };
          made = (await done(api.POST("/nodes/{node}/children", { params, body: { name } }))).id;
          return null;
        } catch (error) {
          return words(error);
        }
      },
    });
    if (made === null) return;
    changed({ what: "folder", folder }, { what: "usage" });
    listing.clear();
    listing.goTo({ id: made, focus: true });
  },
};
