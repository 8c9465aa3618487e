/** What an action is. */
import type { Component } from "vue";
import type { Context } from "./context";

export interface Action {
  id: string;
  /** The key of its words. */
  label: string;
  icon: Component;
  /** Keys that do it, as `domain/keys.ts` writes them; the first is shown. */
  keys?: readonly string[];
  /** Actions of a group stand together; between groups is a line. */
  group: "open" | "give" | "change" | "place" | "list" | "trash" | "remove";
  danger?: true;
  /** Where it stands besides the menu: in the bar of a selection. */
  bar?: true;
  /** Can it be done with this? */
  when: (context: Context) => boolean;
  run: (context: Context) => void | Promise<void>;
}
