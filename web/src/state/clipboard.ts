/** What was cut or copied, until it is pasted. */
import { shallowRef } from "vue";
import type { Row } from "./listing";

export interface Clipboard {
  how: "move" | "copy";
  nodes: readonly Row[];
}

export const clipboard = shallowRef<Clipboard | null>(null);
