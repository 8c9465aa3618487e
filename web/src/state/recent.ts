/** Files that were changed or opened last. */
import { api, done } from "@/api/client";
import type { Row } from "./listing";

/** Rows of a page. */
const PAGE_ROWS = 200;

function searched(q: string, cursor: string | null) {
  return api.GET("/search", {
    params: { query: { q, limit: PAGE_ROWS, ...(cursor === null ? {} : { cursor }) } },
  });
}

export function loadRecent(cursor: string | null): Promise<{ rows: Row[]; next: string | null }> {
  const query = { limit: PAGE_ROWS, ...(cursor === null ? {} : { cursor }) };
  return done(api.GET("/recent", { params: { query } }));
}

export function loadFound(
  q: string,
  cursor: string | null,
): Promise<{ rows: Row[]; next: string | null }> {
  return done(searched(q, cursor));
}
