/** Shows or hides the pane with facts. */
import { Info } from "@lucide/vue";
import { toggleDetails } from "@/state/details";
import type { Action } from "./action";

export const details: Action = {
  id: "details",
  label: "actions.details",
  icon: Info,
  group: "change",
  when: (context) => context.listing !== null && context.place !== "trash",
  run: toggleDetails,
};
