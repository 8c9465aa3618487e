/** The menus of language and theme, which stand wherever somebody may not be signed in, and in the frame. */
import { Moon, Sun, SunMoon } from "@lucide/vue";
import { computed } from "vue";
import { useI18n } from "vue-i18n";
import { LOCALES } from "@/i18n";
import { settings, type Theme } from "@/state/settings";
import type { MenuItem } from "@/ui/menu-items";

/** What languages call themselves. */
export const LANGUAGES = { "zh-CN": "简体中文", en: "English" };

/** The pictures of themes. */
export const THEMES: Record<Theme, typeof Sun> = { system: SunMoon, light: Sun, dark: Moon };

export function useAppearance() {
  const { t } = useI18n();
  const themeItems = computed<MenuItem[]>(() =>
    (["system", "light", "dark"] as const).map((theme) => ({
      id: theme,
      label: t(`frame.theme.${theme}`),
      icon: THEMES[theme],
      checked: settings.theme === theme,
      run: () => {
        settings.theme = theme;
      },
    })),
  );
  const languageItems = computed<MenuItem[]>(() =>
    LOCALES.map((one) => ({
      id: one,
      label: LANGUAGES[one],
      checked: settings.locale === one,
      run: () => {
        settings.locale = one;
      },
    })),
  );
  return { themeItems, languageItems };
}
