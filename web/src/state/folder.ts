/** The lists of folders. Those that were seen last are kept, so that going back shows them at once. */
import { watch } from "vue";
import { api, done } from "@/api/client";
import { onChange } from "./changes";
import { current, Listing } from "./listing";
import { session } from "./session";
import { settings } from "./settings";

/** Rows of a page: as many as the drive gives. */
const PAGE_ROWS = 1_000;
/** Lists that are kept. */
const KEPT_MAX = 6;

const kept = new Map<string, Listing>();

/** The list of a folder: one that is kept is read again, one that is new for the first time. */
export function folderListing(id: string): Listing {
  const known = kept.get(id);
  if (known) {
    kept.delete(id);
    kept.set(id, known);
    if (known.state.value === "ready") void known.refresh();
    else void known.open();
    return known;
  }
  const listing = new Listing({
    place: "folder",
    whole: true,
    load: (cursor) =>
      done(
        api.GET("/nodes/{node}/children", {
          params: {
            path: { node: id },
            query: {
              order: settings.order,
              direction: settings.descending ? "desc" : "asc",
              limit: PAGE_ROWS,
              ...(cursor === null ? {} : { cursor }),
            },
          },
        }),
      ),
    path: async () =>
      (await done(api.GET("/nodes/{node}/path", { params: { path: { node: id } } }))).rows,
  });
  kept.set(id, listing);
  for (const oldest of kept.keys()) {
    if (kept.size <= KEPT_MAX) break;
    kept.delete(oldest);
  }
  void listing.open();
  return listing;
}

/** Is this list, kept under this address, of this folder? */
function isOf(key: string, listing: Listing, folder: string): boolean {
  return key === folder || listing.folder.value?.id === folder;
}

onChange((change) => {
  if (change.what !== "folder") return;
  for (const [key, listing] of kept) {
    if (change.folder === null || isOf(key, listing, change.folder)) {
      // What nobody looks at is read when it is looked at again.
      if (listing === current.value && listing.state.value !== "loading") void listing.refresh();
    }
  }
});

/** A row that its folder's list goes to when it is shown. */
let wanted: { folder: string; id: string } | null = null;

export function revealIn(folder: string, id: string): void {
  wanted = { folder, id };
}

/** The row that the list of a folder goes to; asked once. */
export function wantedIn(folder: string): string | null {
  const id = wanted?.folder === folder ? wanted.id : null;
  wanted = null;
  return id;
}

watch(
  () => [settings.order, settings.descending],
  () => {
    for (const listing of kept.values()) void listing.open();
  },
);

// What one person saw is not the next one's.
watch(session, (now) => {
  if (now !== "member") kept.clear();
});
