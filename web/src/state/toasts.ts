/** What is said in passing: something was done and can be undone, something failed. */
import { reactive } from "vue";
import { Problem } from "@/api/client";
import { i18n } from "@/i18n";

export interface Toast {
  id: number;
  kind: "said" | "bad";
  text: string;
  action?: { label: string; run: () => void };
}

/** Toasts at a time; the oldest gives way. */
const TOASTS_MAX = 3;
const SAID_MS = 6_000;
const BAD_MS = 12_000;

export const toasts = reactive<Toast[]>([]);
let next = 0;

export function say(text: string, action?: Toast["action"]): void {
  add({ id: next++, kind: "said", text, ...(action ? { action } : {}) }, SAID_MS);
}

/** Says why something failed. */
export function sayProblem(error: unknown, action?: Toast["action"]): void {
  add({ id: next++, kind: "bad", text: words(error), ...(action ? { action } : {}) }, BAD_MS);
}

export function dismiss(id: number): void {
  const at = toasts.findIndex((toast) => toast.id === id);
  if (at >= 0) toasts.splice(at, 1);
}

function add(toast: Toast, lasts: number): void {
  toasts.push(toast);
  if (toasts.length > TOASTS_MAX) toasts.shift();
  setTimeout(() => dismiss(toast.id), lasts);
}

/** A problem in words: what happened, and what to do. */
export function words(error: unknown): string {
  const problem = Problem.of(error);
  const key = `problems.${problem.code}`;
  return i18n.global.te(key) ? i18n.global.t(key) : i18n.global.t("problems.unreadable");
}
