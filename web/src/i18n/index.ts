/** Texts, in the languages of the page. Each feature has a file of its own in each language, with equal keys. */
import { createI18n } from "vue-i18n";

export const LOCALES = ["zh-CN", "en"] as const;
export type Locale = (typeof LOCALES)[number];

/** Texts of a language, by feature. */
type Texts = Record<string, Record<string, unknown>>;

const loaders: Record<Locale, () => Promise<{ default: Texts }>> = {
  "zh-CN": () => import("./zh-CN"),
  en: () => import("./en"),
};

export const i18n = createI18n({
  legacy: false,
  locale: "en",
  missingWarn: false,
  fallbackWarn: false,
  messages: {} as Record<string, Texts>,
});

/** The language that somebody's browser asks for. */
export function preferred(languages: readonly string[]): Locale {
  for (const language of languages) {
    const tag = language.toLowerCase();
    if (tag.startsWith("zh")) return "zh-CN";
    if (tag.startsWith("en")) return "en";
  }
  return "en";
}

/** Loads a language and speaks it. */
export async function speak(locale: Locale): Promise<void> {
  const texts = await loaders[locale]();
  i18n.global.setLocaleMessage(locale, texts.default as never);
  i18n.global.locale.value = locale as never;
  document.documentElement.lang = locale;
}
