/** The way down to a folder, as the browser's history keeps it beside an address. */

export interface Step {
  id: string;
  name: string;
}

/** The steps to a folder, it included; none when the history knows another way, or none. */
export function trailOf(state: unknown, folder: string): Step[] {
  if (typeof state !== "object" || state === null || !("trail" in state)) return [];
  const { trail } = state;
  if (!Array.isArray(trail)) return [];
  const steps = trail.flatMap((one: unknown): Step[] => {
    if (typeof one !== "object" || one === null || !("id" in one) || !("name" in one)) return [];
    const { id, name } = one;
    return typeof id === "string" && typeof name === "string" ? [{ id, name }] : [];
  });
  return steps.at(-1)?.id === folder ? steps : [];
}
