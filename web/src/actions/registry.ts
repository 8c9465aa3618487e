/** All actions, in the order of menus. Menus, bars, keys and the list of keys are made of this. */

import { printed } from "@/domain/keys";
import { i18n } from "@/i18n";
import { apple } from "@/state/platform";
import { sayProblem } from "@/state/toasts";
import type { Action } from "./action";
import { cut, paste, takeCopy } from "./clipboard";
import type { Context } from "./context";
import { copy } from "./copy";
import { details } from "./details";
import { download } from "./download";
import { locate } from "./locate";
import { move } from "./move";
import { newFolder } from "./new-folder";
import { open } from "./open";
import { preview } from "./preview";
import { rename } from "./rename";
import { selectAll, selectNone } from "./select";
import { share } from "./share";
import { trash } from "./trash";
import { emptyTrash, purge, restore, restoreTo } from "./trashed";
import { up } from "./up";
import { upload, uploadFolder } from "./upload";

export const actions: readonly Action[] = [
  open,
  preview,
  locate,
  share,
  download,
  rename,
  details,
  move,
  copy,
  cut,
  takeCopy,
  restore,
  restoreTo,
  trash,
  purge,
  emptyTrash,
  newFolder,
  upload,
  uploadFolder,
  paste,
  selectAll,
  selectNone,
  up,
];

/** Does it, and says when it did not work. */
export function perform(action: Action, context: Context): void {
  const failed = (error: unknown): void => sayProblem(error);
  try {
    Promise.resolve(action.run(context)).catch(failed);
  } catch (error) {
    failed(error);
  }
}

/** The key of an action, as it is printed. */
export function keyOf(action: Action): string | undefined {
  const key = action.keys?.[0];
  return key === undefined ? undefined : printed(key, apple);
}

/** Actions as a menu has them. */
export interface Offer {
  id: string;
  label: string;
  icon: Action["icon"];
  keys?: string;
  danger?: boolean;
  apart?: boolean;
  run: () => void;
}

export function offer(wanted: readonly Action[], context: Context): Offer[] {
  let group: string | null = null;
  return wanted
    .filter((action) => action.when(context))
    .map((action) => {
      const apart = group !== null && group !== action.group;
      group = action.group;
      const keys = keyOf(action);
      return {
        id: action.id,
        label: i18n.global.t(action.label),
        icon: action.icon,
        ...(keys === undefined ? {} : { keys }),
        danger: action.danger ?? false,
        apart,
        run: () => perform(action, context),
      };
    });
}

/** The menu of what is chosen, or of the place itself when nothing is. */
export function menuOf(context: Context): Offer[] {
  const about = context.nodes.length > 0;
  return offer(
    actions.filter((action) => (action.group === "list") !== about && action.id !== "select-none"),
    context,
  );
}

/** What the bar of a selection has. */
export function barOf(context: Context): Offer[] {
  return offer(
    actions.filter((action) => action.bar),
    context,
  );
}
