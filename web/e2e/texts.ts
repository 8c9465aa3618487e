/** The page's texts, so that tests name keys and not words. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export type Language = "en" | "zh-CN";

/** The text of a key; of several forms the one for `count`. */
export function texts(language: Language) {
  return (key: string, given: Record<string, string | number> = {}): string => {
    const [file = "", ...path] = key.split(".");
    const url = new URL(`../src/i18n/${language}/${file}.json`, import.meta.url);
    let found: unknown = JSON.parse(readFileSync(fileURLToPath(url), "utf8"));
    for (const part of path) found = (found as Record<string, unknown>)[part];
    if (typeof found !== "string") throw new Error(`there is no text ${key}`);
    const forms = found.split(" | ");
    const count = Number(given.count ?? 1);
    const form = forms[Math.min(count, forms.length - 1)] ?? found;
    return form.replace(/\{(\w+)\}/g, (_, name: string) => String(given[name] ?? ""));
  };
}
