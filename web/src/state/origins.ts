/** Where entries of the trash were: the paths of their folders, asked for once each. */
import { shallowReactive } from "vue";
import { api, done, Problem } from "@/api/client";
import type { Row } from "./listing";

/** A path from below the root; `null` of a folder that is gone. */
const paths = shallowReactive(new Map<string, readonly string[] | null>());
const asked = new Set<string>();

export function originOf(folder: string): readonly string[] | null | undefined {
  return paths.get(folder);
}

export function isGone(folder: string): boolean {
  return paths.get(folder) === null;
}

/** Asks for the folders of these entries. Those that were gone may be there again: they are asked for anew. */
export async function findOrigins(rows: readonly Row[]): Promise<void> {
  const folders = new Set(rows.flatMap((row) => (row.entry ? [row.entry.from] : [])));
  for (const folder of folders) {
    if (asked.has(folder)) continue;
    asked.add(folder);
    try {
      const path = await done(
        api.GET("/nodes/{node}/path", { params: { path: { node: folder } } }),
      );
      paths.set(
        folder,
        path.rows.slice(1).map((node) => node.name),
      );
    } catch (error) {
      if (Problem.of(error).code === "node-not-found") paths.set(folder, null);
      // Without an answer it is not known; it is asked for when the list is read again.
    }
  }
}

/** What is known may be old. */
export function forgetOrigins(): void {
  asked.clear();
}
