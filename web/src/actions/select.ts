/** Chooses all rows, or none. */
import { ListChecks, ListX } from "@lucide/vue";
import { clipboard } from "@/state/clipboard";
import type { Action } from "./action";

export const selectAll: Action = {
  id: "select-all",
  label: "actions.select-all",
  icon: ListChecks,
  keys: ["Mod+A"],
  group: "list",
  when: ({ listing }) => listing !== null && listing.rows.value.length > 0,
  run: ({ listing }) => listing?.chooseAll(),
};

export const selectNone: Action = {
  id: "select-none",
  label: "actions.select-none",
  icon: ListX,
  keys: ["Escape"],
  group: "list",
  when: ({ listing }) =>
    listing !== null && (listing.selection.value.ids.size > 0 || clipboard.value !== null),
  run: ({ listing }) => {
    if (listing && listing.selection.value.ids.size > 0) listing.clear();
    else clipboard.value = null;
  },
};
