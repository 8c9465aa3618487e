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
