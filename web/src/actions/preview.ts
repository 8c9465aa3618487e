/** Shows a file; the arrows go through the files of the list. */
import { Eye } from "@lucide/vue";
import { contentUrl, thumbnailUrl } from "@/api/client";
import { ask } from "@/state/dialogs";
import { show } from "@/state/preview";
import type { Action } from "./action";
import { live, one } from "./context";

export const preview: Action = {
  id: "preview",
  label: "actions.preview",
  icon: Eye,
  keys: ["Space"],
  group: "open",
  when: (context) => live(context) && one(context)?.kind === "file",
  run: (context) => {
    const node = one(context);
    if (!node) return;
    const files = (context.listing?.rows.value ?? [node]).filter((row) => row.kind === "file");
    show({
      files,
      index: files.findIndex((file) => file.id === node.id),
      contentUrl,
      thumbnailUrl,
      share: (id) => {
        const file = files.find((one) => one.id === id);
        if (file) void ask("share", { node: file });
      },
      moved: (id, focus) => {
        const { listing } = context;
        if (!listing) return;
        if (listing.selection.value.ids.size > 0) listing.clear();
        listing.goTo({ id, focus });
      },
    });
  },
};
