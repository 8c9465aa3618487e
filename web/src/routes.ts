/** The screens: one row each. */
import type { RouteRecordRaw } from "vue-router";

/** Who may see a screen: `visitor` means that it is for those who are not signed in, too. */
export type Access = "visitor" | "member" | "administrator";

declare module "vue-router" {
  interface RouteMeta {
    access: Access;
    /** Without the frame around it. */
    bare?: true;
    /** The key of its title. */
    title: string;
  }
}

const member = (title: string) => ({ access: "member" as const, title });
const administrator = (title: string) => ({ access: "administrator" as const, title });
const bare = (title: string) => ({ access: "visitor" as const, bare: true as const, title });

export const routes: RouteRecordRaw[] = [
  { path: "/", redirect: "/files" },
  {
    path: "/files/:folder?",
    name: "files",
    component: () => import("@/features/files/screen.vue"),
    meta: member("frame.nav.files"),
  },
  {
    path: "/recent",
    name: "recent",
    component: () => import("@/features/recent/screen.vue"),
    meta: member("frame.nav.recent"),
  },
  {
    path: "/search",
    name: "search",
    component: () => import("@/features/search/screen.vue"),
    meta: member("frame.search.label"),
  },
  {
    path: "/shares",
    name: "shares",
    component: () => import("@/features/shares/screen.vue"),
    meta: member("frame.nav.shares"),
  },
  {
    path: "/popular",
    name: "popular",
    component: () => import("@/features/popular/screen.vue"),
    meta: member("frame.nav.popular"),
  },
  {
    path: "/pictures",
    name: "pictures",
    component: () => import("@/features/pictures/screen.vue"),
    meta: member("frame.nav.pictures"),
  },
  {
    path: "/trash",
    name: "trash",
    component: () => import("@/features/trash/screen.vue"),
    meta: member("frame.nav.trash"),
  },
  {
    path: "/account",
    name: "account",
    component: () => import("@/features/account/screen.vue"),
    meta: member("frame.me.account"),
  },
  {
    path: "/admin/overview",
    name: "overview",
    component: () => import("@/features/admin/overview.vue"),
    meta: administrator("frame.nav.overview"),
  },
  {
    path: "/admin/people",
    name: "people",
    component: () => import("@/features/admin/people.vue"),
    meta: administrator("frame.nav.people"),
  },
  {
    path: "/admin/cluster",
    name: "cluster",
    component: () => import("@/features/admin/cluster.vue"),
    meta: administrator("frame.nav.cluster"),
  },
  {
    path: "/admin/jobs",
    name: "jobs",
    component: () => import("@/features/admin/jobs.vue"),
    meta: administrator("frame.nav.jobs"),
  },
  {
    path: "/admin/audit",
    name: "audit",
    component: () => import("@/features/admin/audit.vue"),
    meta: administrator("frame.nav.audit"),
  },
  {
    path: "/sign-in",
    name: "sign-in",
    component: () => import("@/features/people/sign-in.vue"),
    meta: bare("people.sign-in.title"),
  },
  {
    path: "/sign-up",
    name: "sign-up",
    component: () => import("@/features/people/sign-up.vue"),
    meta: bare("people.sign-up.title"),
  },
  {
    path: "/s/:token/:folder?",
    name: "public",
    component: () => import("@/features/public/screen.vue"),
    meta: bare("public.title"),
  },
  {
    path: "/:rest(.*)*",
    name: "not-found",
    component: () => import("@/features/frame/not-found.vue"),
    meta: { access: "visitor", title: "frame.not-found.title" },
  },
];
