/** Which screen is shown, and to whom. */
import { watch } from "vue";
import { createRouter, createWebHistory } from "vue-router";
import { i18n } from "@/i18n";
import { open as dialog } from "@/state/dialogs";
import { preview } from "@/state/preview";
import { ensureSession, me, session } from "@/state/session";
import { routes } from "./routes";

export const router = createRouter({
  history: createWebHistory(),
  routes,
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
});

/** Goes the browser back, by its button or a gesture? */
let back = false;
router.options.history.listen((_to, _from, { direction }) => {
  back = direction === "back";
});

// Back leaves what lies over a screen, and not the screen.
router.beforeEach(() => {
  const stays = back && (dialog.value !== null || preview.value !== null);
  back = false;
  if (!stays) return true;
  if (dialog.value) dialog.value.settle(null);
  else preview.value = null;
  return false;
});

router.beforeEach(async (to) => {
  if (to.meta.access === "visitor" && to.name !== "sign-in") {
    // Who it is only matters to what the screen offers.
    ensureSession().catch(() => {});
    return true;
  }
  await ensureSession();
  const signedIn = session.value === "member";
  if (to.name === "sign-in") return signedIn ? inside(to.query.next) : true;
  if (!signedIn) return { name: "sign-in", query: { next: to.fullPath } };
  return true;
});

/** Where somebody goes who has signed in: to a screen of this page, whatever the address says. */
export function inside(next: unknown): string {
  const path = typeof next === "string" ? next : "";
  return /^\/(?![/\\])/.test(path) && !path.startsWith("/sign-") ? path : "/files";
}

/** Is it for administrators, and is this one? */
export function mayStay(access: string): boolean {
  return access !== "administrator" || me.value?.role === "administrator";
}

router.afterEach((to) => {
  document.title = `${i18n.global.t(to.meta.title)} · Cairn`;
});

watch(session, (now, before) => {
  const here = router.currentRoute.value;
  if (now === "visitor" && before === "member" && here.meta.access !== "visitor") {
    dialog.value?.settle(null);
    router.replace({ name: "sign-in", query: { next: here.fullPath } });
  }
});
