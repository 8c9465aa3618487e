/** Which component shows which dialog. Each is given `given`, and emits `settle` with the result, or with null. */
import { type Component, defineAsyncComponent } from "vue";
import type { DialogName } from "@/state/dialogs";

export const dialogs: Record<DialogName, Component> = {
  confirm: defineAsyncComponent(() => import("./frame/confirm.vue")),
  name: defineAsyncComponent(() => import("./files/name-dialog.vue")),
  folder: defineAsyncComponent(() => import("./files/folder-dialog.vue")),
  conflict: defineAsyncComponent(() => import("./upload/conflict-dialog.vue")),
  share: defineAsyncComponent(() => import("./shares/share-dialog.vue")),
  keys: defineAsyncComponent(() => import("./frame/keys.vue")),
};
