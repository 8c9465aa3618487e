/** Asks again and again while somebody looks: not while the page is in the background. */
import { onBeforeUnmount, onMounted, ref, type ShallowRef, shallowRef } from "vue";
import { words } from "@/state/toasts";

const EVERY_MS = 10_000;

export interface Polled<T> {
  data: ShallowRef<T | null>;
  /** Why the last answer is missing. What was known before is still shown. */
  failed: ReturnType<typeof ref<string>>;
  /** When the last answer came. */
  at: ShallowRef<Date | null>;
  again: () => Promise<void>;
}

export function poll<T>(question: () => Promise<T>): Polled<T> {
  const data: ShallowRef<T | null> = shallowRef(null);
  const failed = ref("");
  const at: ShallowRef<Date | null> = shallowRef(null);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking = false;
  let gone = false;

  async function again(): Promise<void> {
    if (asking) return;
    clearTimeout(timer);
    asking = true;
    try {
      data.value = await question();
      at.value = new Date();
      failed.value = "";
    } catch (error) {
      failed.value = words(error);
    } finally {
      asking = false;
    }
    if (!gone && !document.hidden) timer = setTimeout(again, EVERY_MS);
  }

  function onVisible(): void {
    if (document.hidden) clearTimeout(timer);
    else again();
  }

  onMounted(() => {
    again();
    document.addEventListener("visibilitychange", onVisible);
  });
  onBeforeUnmount(() => {
    gone = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", onVisible);
  });
  return { data, failed, at, again };
}
