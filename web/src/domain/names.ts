/** Names of files. */

/** A name in two parts, so that only the first is shortened and the end, with the extension, always shows. */
export function parts(name: string): { head: string; tail: string } {
  const TAIL_MAX = 12;
  const dot = name.lastIndexOf(".");
  const extension = dot > 0 ? name.length - dot : 0;
  const characters = [...name];
  // Some characters before the extension tell files of a series apart.
  const wanted = extension > 0 && extension <= TAIL_MAX ? extension + 3 : 6;
  const length = Math.min(wanted, Math.floor(characters.length / 2));
  return {
    head: characters.slice(0, characters.length - length).join(""),
    tail: characters.slice(characters.length - length).join(""),
  };
}

/** The extension, in small letters, without its dot; none of `.profile`. */
export function extension(name: string): string {
  const dot = name.lastIndexOf(".");
  return dot > 0 ? name.slice(dot + 1).toLowerCase() : "";
}

/** How many characters come before the extension: what is selected when a name is edited. */
export function stemLength(name: string): number {
  const dot = name.lastIndexOf(".");
  return dot > 0 ? dot : name.length;
}
