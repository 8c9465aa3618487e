/** Dropping on folders: rows of our own are moved (or copied, with the key for it held), files from outside are uploaded. */
import { transfer } from "@/actions/transfer";
import { DRAG_TYPE, dragged } from "@/state/drag";
import type { Listing, Row } from "@/state/listing";
import { apple } from "@/state/platform";
import { sayProblem } from "@/state/toasts";
import { dropInto } from "@/state/uploads";

/** Takes rows along: all that are chosen when this one is, or else this one. */
export function beginDrag(event: DragEvent, row: Row, listing: Listing): void {
  const rows = listing.selection.value.ids.has(row.id) ? listing.selected.value : [row];
  dragged.value = rows;
  event.dataTransfer?.setData(DRAG_TYPE, "");
  event.dataTransfer?.setData("text/plain", rows.map((one) => one.name).join("\n"));
  if (event.dataTransfer) event.dataTransfer.effectAllowed = "copyMove";
}

export function endDrag(): void {
  dragged.value = [];
}

function copies(event: DragEvent): boolean {
  return apple ? event.altKey : event.ctrlKey;
}

/** May what is dragged be dropped on this folder? Says so to the browser, too. */
export function mayDrop(event: DragEvent, folder: string): boolean {
  const types = event.dataTransfer?.types ?? [];
  const outside = types.includes("Files");
  const ours = types.includes(DRAG_TYPE) && !dragged.value.some((row) => row.id === folder);
  if (!outside && !ours) return false;
  event.preventDefault();
  if (event.dataTransfer) {
    event.dataTransfer.dropEffect = outside || copies(event) ? "copy" : "move";
  }
  return true;
}

export function drop(
  event: DragEvent,
  folder: { id: string; name: string },
  listing: Listing | null,
): void {
  if (!mayDrop(event, folder.id)) return;
  // Whatever is around it takes drops, too.
  event.stopPropagation();
  if (event.dataTransfer?.types.includes("Files")) {
    dropInto(folder.id, event.dataTransfer);
    return;
  }
  const rows = dragged.value;
  dragged.value = [];
  transfer(copies(event) ? "copy" : "move", rows, folder, listing).catch((error: unknown) =>
    sayProblem(error),
  );
}
