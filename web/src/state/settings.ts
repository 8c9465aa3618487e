/** What somebody chose for this browser. Kept in its local storage. */
import { reactive, watch } from "vue";
import { i18n, LOCALES, type Locale, preferred, speak } from "@/i18n";

export type Theme = "system" | "light" | "dark";
export type View = "list" | "grid";
export type Order = "name" | "size" | "modified" | "downloads";

interface Settings {
  locale: Locale;
  theme: Theme;
  view: View;
  order: Order;
  descending: boolean;
  details: boolean;
}

const KEY = "cairn.settings";

function read(): Settings {
  const usual: Settings = {
    locale: preferred(navigator.languages),
    theme: "system",
    view: "list",
    order: "name",
    descending: false,
    details: false,
  };
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Settings>;
    const merged = { ...usual, ...kept };
    return LOCALES.includes(merged.locale) ? merged : { ...merged, locale: usual.locale };
  } catch {
    // Not ours, or no storage: the usual.
    return usual;
  }
}

export const settings = reactive<Settings>(read());

watch(settings, (now) => {
  try {
    localStorage.setItem(KEY, JSON.stringify(now));
  } catch {
    // Without storage they last as long as the page.
  }
});

export function applyTheme(): void {
  const root = document.documentElement;
  if (settings.theme === "system") delete root.dataset.theme;
  else root.dataset.theme = settings.theme;
}
watch(() => settings.theme, applyTheme);
watch(() => settings.locale, speak);

/** The language as `Intl` takes it. */
export function locale(): string {
  return i18n.global.locale.value;
}
