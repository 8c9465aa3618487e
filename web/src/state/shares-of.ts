/** The links of a node. They are kept until one changes here; whoever is about to make another asks anew. */
import { api, done, type Share } from "@/api/client";
import { stateOf } from "@/domain/shares";
import { onChange } from "./changes";

/** Links that are asked for: as many as the drive gives at once, and more than anybody makes of one node. */
const ROWS = 1_000;
/** Nodes whose links are kept. */
const KEPT_MAX = 100;

const kept = new Map<string, Promise<Share[]>>();
onChange((change) => {
  if (change.what === "shares") kept.clear();
});

async function read(node: string): Promise<Share[]> {
  const query = { kind: "link", node, order: "created", direction: "desc", limit: ROWS } as const;
  return (await done(api.GET("/shares", { params: { query } }))).rows;
}

/** Those that work, the newest first. */
export async function sharesOf(node: string, anew = false): Promise<Share[]> {
  const asked = (anew ? undefined : kept.get(node)) ?? read(node);
  // The last one asked for is the last one in the map.
  kept.delete(node);
  kept.set(node, asked);
  const [oldest] = kept.keys();
  if (kept.size > KEPT_MAX && oldest !== undefined) kept.delete(oldest);
  try {
    const now = new Date();
    return (await asked).filter((one) => stateOf(one, now) === "active");
  } catch (error) {
    if (kept.get(node) === asked) kept.delete(node);
    throw error;
  }
}
