/** Dialogs that any part of the page can ask for; the frame shows them (`features/dialogs.ts` says which they are). */
import { shallowRef } from "vue";
import type { Node, OnConflict, Share } from "@/api/client";

/** What each dialog is given, and what comes of it; `null` when it is left. */
export interface Dialogs {
  /** Something that can't be undone: `true` to do it. */
  confirm: {
    given: { title: string; text: string; action: string; danger?: boolean };
    result: true;
  };
  /** A name, for a new folder or a copy. `submit` may do what it is for: the words that it answers are shown at the field. */
  name: {
    given: {
      title: string;
      label: string;
      value: string;
      action: string;
      submit?: (name: string) => Promise<string | null>;
    };
    result: string;
  };
  /** A folder to move or copy to. */
  folder: {
    given: { title: string; action: string; without: readonly string[] };
    result: { id: string; name: string };
  };
  /** What to do about names that are taken; `all` for those that follow. */
  conflict: {
    given: { name: string; folder: boolean; more: number };
    result: { choice: Exclude<OnConflict, "fail"> | "skip"; all: boolean };
  };
  /** A link of a folder or file is made, or changed. */
  share: { given: { node: Node; share?: Share }; result: Share };
  /** All keys. */
  keys: { given: Record<string, never>; result: true };
}

export type DialogName = keyof Dialogs;

export interface OpenDialog<N extends DialogName = DialogName> {
  name: N;
  given: Dialogs[N]["given"];
  settle: (result: Dialogs[N]["result"] | null) => void;
}

export const open = shallowRef<OpenDialog | null>(null);

/** Opens a dialog. Another that is open is left. */
export function ask<N extends DialogName>(
  name: N,
  given: Dialogs[N]["given"],
): Promise<Dialogs[N]["result"] | null> {
  open.value?.settle(null);
  return new Promise((resolve) => {
    const dialog: OpenDialog<N> = {
      name,
      given,
      settle: (result) => {
        if (open.value === (dialog as unknown)) open.value = null;
        resolve(result);
      },
    };
    open.value = dialog as unknown as OpenDialog;
  });
}
