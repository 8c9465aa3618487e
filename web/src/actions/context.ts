/** What actions are about. */
import type { Listing, Place, Row } from "@/state/listing";
import { current } from "@/state/listing";

export interface Context {
  /** The folders and files, or entries of the trash, that are meant; none: the folder that is shown. */
  nodes: readonly Row[];
  place: Place | null;
  listing: Listing | null;
}

/** What is chosen on the screen now. */
export function contextNow(): Context {
  const listing = current.value;
  return { nodes: listing?.subjects.value ?? [], place: listing?.place ?? null, listing };
}

/** These rows of a list. */
export function contextOf(listing: Listing, nodes: readonly Row[]): Context {
  return { nodes, place: listing.place, listing };
}

/** Rows that are on the drive: not in the trash. */
export function live(context: Context): boolean {
  return context.nodes.length > 0 && context.place !== "trash";
}

export function one(context: Context): Row | null {
  return context.nodes.length === 1 ? (context.nodes[0] ?? null) : null;
}

/** The folder that is shown, when it is one. */
export function shownFolder(context: Context): string | null {
  return context.place === "folder" ? (context.listing?.folder.value?.id ?? null) : null;
}
