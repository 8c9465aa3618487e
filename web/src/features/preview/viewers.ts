/** Which viewer shows what. */
import type { FileKind } from "@/domain/kinds";

export type Viewer = "picture" | "video" | "audio" | "pdf" | "text" | "markdown" | "none";

/** What has no known extension may still be text, if it is no larger than what is read of texts. */
const GUESS_BYTES_MAX = 1024 * 1024;

const VIEWERS: Partial<Record<FileKind, Viewer>> = {
  picture: "picture",
  video: "video",
  audio: "audio",
  pdf: "pdf",
  text: "text",
  code: "text",
  markdown: "markdown",
};

export function viewerOf(kind: FileKind, size: number | null): Viewer {
  if (size === 0) return "none";
  if (kind === "other" && (size ?? 0) <= GUESS_BYTES_MAX) return "text";
  return VIEWERS[kind] ?? "none";
}
