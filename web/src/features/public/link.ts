/** What of a link the parts of its page need alike. */
import { BASE, Problem, sharedContentUrl, sharedThumbnailUrl } from "@/api/client";
import { kindOf } from "@/domain/kinds";
import { type Shown, show } from "@/state/preview";

/**
 * Codes that were right, by the token of their link, while the page is open: what the drive gave for one ends after
 * an hour, and with signing in.
 */
export const codes = new Map<string, string>();

function zipUrl(token: string, node: string): string {
  return `${BASE}/public/shares/${encodeURIComponent(token)}/nodes/${encodeURIComponent(node)}/zip`;
}

/** Where a node is to be had from. */
export function urlOf(token: string, node: { id: string; kind: string }): string {
  return node.kind === "folder" ? zipUrl(token, node.id) : sharedContentUrl(token, node.id, true);
}

/** May it be downloaded? Throws the {@link Problem} if not. Counts nothing. */
export async function check(url: string): Promise<void> {
  try {
    const head = await fetch(url, { method: "HEAD" });
    if (head.ok) return;
    // An answer without content does not say why; this one would.
    const stop = new AbortController();
    const answer = await fetch(url, { signal: stop.signal });
    if (answer.ok) {
      stop.abort();
      return;
    }
    throw await Problem.from(answer);
  } catch (error) {
    throw Problem.of(error);
  }
}

/** Has the browser fetch it, past this page's memory. A problem is told before it would be what is downloaded. */
export async function download(url: string): Promise<void> {
  await check(url);
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = "";
  anchor.click();
}

/** Can it be looked at? What is something else says so there, and is offered for download. */
export function look(token: string, files: readonly Shown[], index: number): void {
  show({
    files,
    index,
    contentUrl: (id, save) => sharedContentUrl(token, id, save),
    thumbnailUrl: (id, edge) => sharedThumbnailUrl(token, id, edge),
  });
}

/** Kinds that are of no use to look at. */
const OPAQUE = new Set(["archive", "other", "document", "sheet", "slides"]);

export function canLook(node: Shown): boolean {
  return !OPAQUE.has(kindOf(node));
}
