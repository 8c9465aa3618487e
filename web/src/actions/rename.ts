/** Gives something another name, in its place in the list. */
import { Pencil } from "@lucide/vue";
import { api, done } from "@/api/client";
import { changed } from "@/state/changes";
import type { Listing, Row } from "@/state/listing";
import type { Action } from "./action";
import { live, one } from "./context";

export const rename: Action = {
  id: "rename",
  label: "actions.rename",
  icon: Pencil,
  keys: ["F2"],
  group: "change",
  bar: true,
  when: (context) => live(context) && context.listing !== null && one(context) !== null,
  run: (context) => {
    const node = one(context);
    const { listing } = context;
    if (!node || !listing) return;
    listing.goTo({ id: node.id, focus: false });
    listing.rename(node.id);
  },
};

/** The name has been typed. Throws what the drive says against it. */
export async function renamed(listing: Listing, row: Row, name: string): Promise<void> {
  const now = await done(
    api.PATCH("/nodes/{node}", { params: { path: { node: row.id } }, body: { name } }),
  );
  listing.patch(row.id, { name: now.name, media_type: now.media_type });
  changed({ what: "folder", folder: row.parent });
}
