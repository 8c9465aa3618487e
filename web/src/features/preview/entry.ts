/**
 * The preview's entry in the browser's history, at the address of the screen behind it: so Back leaves the preview, and
 * not the screen.
 */
import type { RouteLocationNormalizedLoaded, Router } from "vue-router";

/** While the browser goes back. */
let leaving: Promise<void> | null = null;

/** Is the browser at such an entry? One may also be left of a page that was loaded anew, or be gone forward to. */
export function atEntry(): boolean {
  return (history.state as { preview?: boolean } | null)?.preview === true;
}

export async function makeEntry(
  router: Router,
  route: RouteLocationNormalizedLoaded,
): Promise<void> {
  await leaving;
  if (atEntry()) return;
  const { path, query, hash } = route;
  await router.push({ path, query, hash, force: true, state: { preview: true } });
}

export function leaveEntry(router: Router): void {
  if (leaving !== null || !atEntry()) return;
  leaving = new Promise((resolve) => {
    const gone = (): void => {
      leaving = null;
      resolve();
    };
    window.addEventListener("popstate", gone, { once: true });
  });
  router.back();
}
