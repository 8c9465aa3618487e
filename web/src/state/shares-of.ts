/**
 * The links of a node. The API lists all links of an account, so they are read once and kept until one changes here; whoever
 * is about to make another asks anew.
 */
import { api, done, type Share } from "@/api/client";
import { stateOf } from "@/domain/shares";
import { onChange } from "./changes";

const PAGE_ROWS = 1_000;
/** An account has 10,000 links at most. */
const PAGES_MAX = 10;

let all: Promise<Share[]> | null = null;
onChange((change) => {
  if (change.what === "shares") all = null;
});

async function read(): Promise<Share[]> {
  const shares: Share[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < PAGES_MAX; page++) {
    const query = { kind: "link", order: "created", direction: "desc", limit: PAGE_ROWS } as const;
    const asked: { rows: Share[]; next: string | null } = await done(
      api.GET("/shares", { params: { query: cursor === null ? query : { ...query, cursor } } }),
    );
    shares.push(...asked.rows);
    cursor = asked.next;
    if (cursor === null) break;
  }
  return shares;
}

/** Those that work, the newest first. */
export async function sharesOf(node: string, anew = false): Promise<Share[]> {
  if (anew) all = null;
  all ??= read();
  const asked = all;
  try {
    const now = new Date();
    return (await asked).filter((one) => one.node.id === node && stateOf(one, now) === "active");
  } catch (error) {
    if (all === asked) all = null;
    throw error;
  }
}
