/** What is being dragged over the page: rows of our own, or what comes from outside. */
import { shallowRef } from "vue";
import type { Row } from "./listing";

/** Rows that are dragged now. What is dragged can be read only when it is dropped, so it is kept here. */
export const dragged = shallowRef<readonly Row[]>([]);

/** The type that our own rows are dragged as. */
export const DRAG_TYPE = "application/x-cairn-nodes";
