/** What changed on the drive through this page, told to whatever shows it. */

export type Change =
  /** Something came into, left, or changed in a folder (its id, or `null` when it is not known which). */
  | { what: "folder"; folder: string | null }
  | { what: "trash" }
  | { what: "shares" }
  | { what: "usage" };

type Listener = (change: Change) => void;
const listeners = new Set<Listener>();

export function changed(...changes: Change[]): void {
  for (const change of changes) for (const listener of [...listeners]) listener(change);
}

/** Listens until the returned function is called. */
export function onChange(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
