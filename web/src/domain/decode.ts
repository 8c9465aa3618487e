/** Bytes that may be text. */

export interface Decoded {
  text: string;
  encoding: "utf-8" | "utf-16" | "gb18030";
}

/** Of this many characters at most one may be a control character that texts don't have. */
const CONTROLS_PER = 64;
/** Terminals write these into logs: bell, backspace, form feed, escape. */
const USUAL_CONTROLS = new Set([7, 8, 12, 27]);

/**
 * The text that bytes are, or `null` where they are none. `cut` says that more follows: a character that is only begun is
 * left out. UTF-8 first; what is not UTF-8 is tried as GB18030, in which Chinese files of Windows are written.
 */
export function decode(bytes: Uint8Array, cut: boolean): Decoded | null {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return as("utf-16le", "utf-16", bytes, cut);
  if (first === 0xfe && second === 0xff) return as("utf-16be", "utf-16", bytes, cut);
  // No text has it, and nearly everything else does.
  if (bytes.includes(0)) return null;
  return as("utf-8", "utf-8", bytes, cut) ?? as("gb18030", "gb18030", bytes, cut);
}

function as(
  label: string,
  encoding: Decoded["encoding"],
  bytes: Uint8Array,
  cut: boolean,
): Decoded | null {
  try {
    const text = new TextDecoder(label, { fatal: true }).decode(bytes, { stream: cut });
    return isText(text) ? { text, encoding } : null;
  } catch {
    return null;
  }
}

function isText(text: string): boolean {
  let strange = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    // Tab, line feed and carriage return are 9, 10 and 13.
    const control = (code < 32 && (code < 9 || code > 13)) || code === 127 || code === 11;
    if (control && !USUAL_CONTROLS.has(code)) strange += 1;
  }
  return strange * CONTROLS_PER <= text.length;
}

/** The lines of a text, whatever ends them. A last empty one is none. */
export function lines(text: string): string[] {
  const all = text.split(/\r\n|\n|\r/);
  if (all.length > 1 && all.at(-1) === "") all.pop();
  return all;
}

/** How wide a line is in columns of a fixed font: those of Chinese are two. Tabs reach to the next eighth. */
export function columns(line: string): number {
  let count = 0;
  for (let at = 0; at < line.length; at += 1) {
    const code = line.charCodeAt(at);
    if (code === 9) count += 8 - (count % 8);
    else count += code >= 0x1100 ? 2 : 1;
  }
  return count;
}
