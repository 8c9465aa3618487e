/** What a file is to people: what icon it has, and how it can be shown. */
import { extension } from "./names";

export type FileKind =
  | "folder"
  | "picture"
  | "video"
  | "audio"
  | "pdf"
  | "text"
  | "code"
  | "markdown"
  | "archive"
  | "document"
  | "sheet"
  | "slides"
  | "other";

const BY_EXTENSION: Record<string, FileKind> = {};
const put = (kind: FileKind, extensions: string): void => {
  for (const one of extensions.split(" ")) BY_EXTENSION[one] = kind;
};
put("picture", "jpg jpeg png gif webp avif bmp svg ico heic tif tiff");
put("video", "mp4 m4v webm mov mkv avi ogv");
put("audio", "mp3 m4a aac ogg opus flac wav");
put("pdf", "pdf");
put("markdown", "md markdown");
put("text", "txt log csv tsv ini conf cfg properties srt vtt nfo");
put(
  "code",
  "js ts jsx tsx vue c h cc cpp hpp rs go py rb java kt swift php lua sh bash ps1 sql json json5 yaml yml toml xml html htm css scss less diff patch dockerfile makefile proto",
);
put("archive", "zip tar gz tgz bz2 xz zst 7z rar");
put("document", "doc docx odt rtf pages");
put("sheet", "xls xlsx ods numbers");
put("slides", "ppt pptx odp key");

/** What a node is. */
export function kindOf(node: { kind: string; name: string; media_type: string | null }): FileKind {
  if (node.kind === "folder") return "folder";
  const known = BY_EXTENSION[extension(node.name)];
  if (known) return known;
  const type = node.media_type ?? "";
  if (type.startsWith("image/")) return "picture";
  if (type.startsWith("video/")) return "video";
  if (type.startsWith("audio/")) return "audio";
  if (type.startsWith("text/")) return "text";
  return "other";
}

/** Pictures that the drive makes small ones of. */
export function hasThumbnail(node: { kind: string; name: string }): boolean {
  return node.kind === "file" && ["jpg", "jpeg", "png", "webp"].includes(extension(node.name));
}
