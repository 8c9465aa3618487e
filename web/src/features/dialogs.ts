/** Which component shows which dialog. Each is given `given`, and emits `settle` with the result, or with null. */
import { type AsyncComponentLoader, type Component, defineAsyncComponent } from "vue";
import { type DialogName, open } from "@/state/dialogs";
import { sayProblem } from "@/state/toasts";

/** A dialog that does not come is left, so that whoever asked does not wait for ever. */
function coming(loader: AsyncComponentLoader): Component {
  return defineAsyncComponent({
    loader,
    onError: (error, _retry, fail) => {
      open.value?.settle(null);
      sayProblem(error);
      fail();
    },
  });
}

export const dialogs: Record<DialogName, Component> = {
  confirm: coming(() => import("./frame/confirm.vue")),
  name: coming(() => import("./files/name-dialog.vue")),
  folder: coming(() => import("./files/folder-dialog.vue")),
  conflict: coming(() => import("./upload/conflict-dialog.vue")),
  share: coming(() => import("./shares/share-dialog.vue")),
  keys: coming(() => import("./frame/keys.vue")),
};
