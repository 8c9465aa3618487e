/** Which component shows which dialog. Each is given `given`, and emits `settle` with the result, or with null. */
import { type AsyncComponentLoader, type Component, defineAsyncComponent } from "vue";
import { type DialogName, open } from "@/state/dialogs";
import { sayUnloaded } from "@/state/version";

/** A dialog that does not come is left, so that whoever asked does not wait for ever. */
function coming(name: DialogName, loader: AsyncComponentLoader): Component {
  return defineAsyncComponent({
    loader,
    onError: (error, _retry, fail) => {
      // Another may have been opened meanwhile.
      if (open.value?.name === name) open.value.settle(null);
      void sayUnloaded(error);
      fail();
    },
  });
}

export const dialogs: Record<DialogName, Component> = {
  confirm: coming("confirm", () => import("./frame/confirm.vue")),
  name: coming("name", () => import("./files/name-dialog.vue")),
  folder: coming("folder", () => import("./files/folder-dialog.vue")),
  conflict: coming("conflict", () => import("./upload/conflict-dialog.vue")),
  share: coming("share", () => import("./shares/share-dialog.vue")),
  keys: coming("keys", () => import("./frame/keys.vue")),
};
