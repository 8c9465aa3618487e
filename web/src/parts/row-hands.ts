/** What a row does when it is touched; made once for a list, so that rows are drawn again only when they change. */
import type { Row } from "@/state/listing";

export interface RowHands {
  press: (event: MouseEvent, row: Row) => void;
  pressName: (event: MouseEvent, row: Row) => void;
  down: (event: PointerEvent, row: Row) => void;
  tick: (event: MouseEvent, row: Row) => void;
  menu: (event: MouseEvent, row: Row) => void;
  more: (event: MouseEvent) => void;
  act: (id: "share" | "download", row: Row) => void;
  drag: (event: DragEvent, row: Row) => void;
  dragEnd: () => void;
  over: (event: DragEvent, row: Row) => void;
  out: (row: Row) => void;
  drop: (event: DragEvent, row: Row) => void;
}
