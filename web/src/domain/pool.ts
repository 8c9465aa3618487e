/** Several things at once, but not all. */

/** Does something with each, at most `width` at a time; what went wrong comes back with what it went wrong with. */
export async function pooled<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): Promise<{ done: { item: T; result: R }[]; failed: { item: T; error: unknown }[] }> {
  const done: { item: T; result: R }[] = [];
  const failed: { item: T; error: unknown }[] = [];
  let at = 0;
  const worker = async (): Promise<void> => {
    while (at < items.length) {
      const item = items[at++] as T;
      try {
        done.push({ item, result: await work(item) });
      } catch (error) {
        failed.push({ item, error });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
  return { done, failed };
}
