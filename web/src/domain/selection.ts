/** Which rows of a list are chosen. Rows are known by their ids, so that a choice outlives a list that is read again. */

export interface Selection {
  ids: ReadonlySet<string>;
  /** Where a range begins. */
  anchor: string | null;
}

export const NOTHING: Selection = { ids: new Set(), anchor: null };

export function only(id: string): Selection {
  return { ids: new Set([id]), anchor: id };
}

export function toggle(selection: Selection, id: string): Selection {
  const ids = new Set(selection.ids);
  if (!ids.delete(id)) ids.add(id);
  return { ids, anchor: id };
}

/** From the anchor to a row, and nothing else; with `keep`, also what is chosen already. */
export function range(
  selection: Selection,
  order: readonly { id: string }[],
  indexOf: (id: string) => number,
  to: string,
  keep = false,
): Selection {
  const anchor = selection.anchor ?? to;
  const first = indexOf(anchor);
  const last = indexOf(to);
  if (first < 0 || last < 0) return only(to);
  const ids = new Set(keep ? selection.ids : []);
  for (let at = Math.min(first, last); at <= Math.max(first, last); at++) {
    const row = order[at];
    if (row) ids.add(row.id);
  }
  return { ids, anchor };
}

export function all(order: readonly { id: string }[]): Selection {
  return { ids: new Set(order.map((row) => row.id)), anchor: order[0]?.id ?? null };
}

/** Without the rows that are gone. */
export function present(selection: Selection, there: (id: string) => boolean): Selection {
  const gone = [...selection.ids].some((id) => !there(id));
  const anchor = selection.anchor !== null && there(selection.anchor) ? selection.anchor : null;
  if (!gone && anchor === selection.anchor) return selection;
  return { ids: new Set([...selection.ids].filter(there)), anchor };
}

/** The row that is looked at next when some rows go: the first that stays after it, or else the last before it. */
export function next(
  order: readonly { id: string }[],
  from: number,
  going: (id: string) => boolean,
): string | null {
  for (let at = from; at < order.length; at++) {
    const row = order[at];
    if (row && !going(row.id)) return row.id;
  }
  for (let at = Math.min(from, order.length) - 1; at >= 0; at--) {
    const row = order[at];
    if (row && !going(row.id)) return row.id;
  }
  return null;
}
