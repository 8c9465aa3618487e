/** The page's texts, so that tests name keys and not words. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export type Language = "en" | "zh-CN";

/** What a file of texts holds: each is read once. */
const read = new Map<string, unknown>();
function textsOf(language: Language, file: string): unknown {
  const path = fileURLToPath(new URL(`../src/i18n/${language}/${file}.json`, import.meta.url));
  if (!read.has(path)) read.set(path, JSON.parse(readFileSync(path, "utf8")));
  return read.get(path);
}

/** The text of a key; of several forms the one for `count`. What is not given stays as it is written. */
export function texts(language: Language) {
  return (key: string, given: Record<string, string | number> = {}): string => {
    const [file = "", ...path] = key.split(".");
    let found = textsOf(language, file);
    for (const part of path) found = (found as Record<string, unknown> | undefined)?.[part];
    if (typeof found !== "string") throw new Error(`there is no text ${key}`);
    const forms = found.split(" | ");
    const count = Number(given.count ?? 1);
    const form = forms[Math.min(count, forms.length - 1)] ?? found;
    return form.replace(/\{(\w+)\}/g, (whole, name: string) => String(given[name] ?? whole));
  };
}
