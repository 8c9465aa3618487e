/** Pictures that links may show: the drive says which, by their names. */
import { extension } from "./names";

const SHOWN = ["jpg", "jpeg", "jpe", "png", "gif", "webp", "avif", "bmp"];
/** What somebody's device calls them. */
const BY_TYPE: Record<string, string> = {
  "image/jpeg": "jpg",
  "image/png": "png",
  "image/gif": "gif",
  "image/webp": "webp",
  "image/avif": "avif",
  "image/bmp": "bmp",
};

/** For the window in which files are picked. */
export const ACCEPT = SHOWN.map((one) => `.${one}`).join(",");

/** The folder of pictures, by the language in which it was made: an account has one, whatever it speaks later. */
export const FOLDER_NAMES = { "zh-CN": "图床", en: "Pictures" } as const;

/** Which of the folders in the root is that of pictures: of several the oldest. */
export function pictureFolder<F extends { kind: string; name: string; created_at: string }>(
  rows: readonly F[],
): F | null {
  const names: readonly string[] = Object.values(FOLDER_NAMES);
  const found = rows.filter((row) => row.kind === "folder" && names.includes(row.name));
  found.sort((one, other) => one.created_at.localeCompare(other.created_at));
  return found[0] ?? null;
}

/** The name that a picture is stored under, or `null`: it is none that a link shows. */
export function linkable(name: string, type: string): string | null {
  if (SHOWN.includes(extension(name))) return name;
  const end = BY_TYPE[type];
  return end && extension(name) === "" ? `${name || "picture"}.${end}` : null;
}

/** What is pasted has no name of its own: browsers call all of it `image.png`. The time tells them apart. */
export function pastedName(name: string, at: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}${two(at.getMinutes())}${two(at.getSeconds())}`;
  return /^image\.\w+$/.test(name) ? `${day} ${time}.${extension(name)}` : name;
}
