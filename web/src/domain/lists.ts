/** Lists as they are shown and looked through: days, found beginnings, shortened paths, terms of a search. */

export type Day = "today" | "yesterday" | "week" | "earlier";

/** When something was, as people group it. A week has the seven days before today. */
export function dayOf(iso: string, now: Date): Day {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate());
  const at = new Date(iso).getTime();
  if (at >= midnight.getTime()) return "today";
  const before = (days: number): number =>
    new Date(now.getFullYear(), now.getMonth(), now.getDate() - days).getTime();
  if (at >= before(1)) return "yesterday";
  return at >= before(7) ? "week" : "earlier";
}

/**
 * The row whose name begins with what was typed, looked for from a row on and around the end. One letter repeated goes
 * from one row to the next.
 */
export function beginning(
  rows: readonly { name: string }[],
  typed: string,
  from: number,
): number | null {
  const letters = [...typed.toLowerCase()];
  const repeated = letters.length > 1 && letters.every((letter) => letter === letters[0]);
  const wanted = repeated ? (letters[0] ?? "") : letters.join("");
  // A longer beginning may still be the row's own.
  const first = letters.length > 1 && !repeated ? from : from + 1;
  for (let step = 0; step < rows.length; step++) {
    const at = (Math.max(0, first) + step) % rows.length;
    if (rows[at]?.name.toLowerCase().startsWith(wanted)) return at;
  }
  return null;
}

/** A path that is too long keeps its first part and its last ones. */
export function collapse<T>(
  path: readonly T[],
  most: number,
): { first: T[]; hidden: T[]; last: T[] } {
  if (path.length <= most) return { first: [...path], hidden: [], last: [] };
  const last = Math.max(1, most - 1);
  return {
    first: path.slice(0, 1),
    hidden: path.slice(1, path.length - last),
    last: path.slice(path.length - last),
  };
}

/** How many folders and files, and how many bytes. */
export function totals(rows: Iterable<{ kind: string; size: number | null }>): {
  folders: number;
  files: number;
  bytes: number;
} {
  const sum = { folders: 0, files: 0, bytes: 0 };
  for (const row of rows) {
    if (row.kind === "folder") sum.folders += 1;
    else sum.files += 1;
    sum.bytes += row.size ?? 0;
  }
  return sum;
}

/** Characters of a search at most, and terms, as the drive takes them. */
export const SEARCH_CHARS_MAX = 200;
const SEARCH_TERMS_MAX = 8;

/** What was typed as the drive takes it: one blank between terms, and no more of them than it looks for. */
export function searchTerms(typed: string): string {
  const terms = typed.split(/\s+/).filter((term) => term !== "");
  return terms.slice(0, SEARCH_TERMS_MAX).join(" ");
}
