import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import en from "./en";
import { preferred } from "./index";
import zh from "./zh-CN";

/** All keys of texts, with dots between. */
function keys(texts: unknown, path = ""): string[] {
  if (typeof texts === "string") return [path];
  return Object.entries(texts as object).flatMap(([key, value]) =>
    keys(value, path ? `${path}.${key}` : key),
  );
}

/** Codes of problems that the API may answer. */
function codes(): string[] {
  const text = readFileSync("../docs/openapi.json", "utf8");
  const found = new Set<string>();
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    const code = (value as { properties?: { code?: { enum?: string[] } } }).properties?.code?.enum;
    for (const one of code ?? []) found.add(one);
    Object.values(value).forEach(walk);
  };
  walk(JSON.parse(text).paths);
  return [...found];
}

describe("texts", () => {
  test("both languages say the same things", () => {
    expect(keys(zh).sort()).toEqual(keys(en).sort());
  });

  test("nothing is left empty", () => {
    for (const texts of [en, zh]) {
      expect(JSON.stringify(texts)).not.toContain('""');
    }
  });

  test("every text is said somewhere", () => {
    const sources = Object.values(
      import.meta.glob<string>(
        ["../**/*.{ts,vue}", "!./**", "!../api/gen.ts", "!../**/*.test.ts"],
        {
          eager: true,
          import: "default",
          query: "?raw",
        },
      ),
    ).join("\n");
    const said = new Set(sources.match(/[\w-]+(?:\.[\w-]+)+/g));
    const begun = new Set(
      Array.from(sources.matchAll(/([\w-]+(?:\.[\w-]+)*\.)\$\{/g), (found) => found[1]),
    );
    const isBegun = (key: string) => [...begun].some((start) => start && key.startsWith(start));
    expect(keys(en).filter((key) => !said.has(key) && !isBegun(key))).toEqual([]);
  });

  test("every problem of the API has words", () => {
    const known = keys(en);
    expect(codes().length).toBeGreaterThan(40);
    expect(codes().filter((code) => !known.includes(`problems.${code}`))).toEqual([]);
  });

  test("the language is the browser's first that there is", () => {
    expect(preferred(["fr-FR", "zh-TW", "en"])).toBe("zh-CN");
    expect(preferred(["en-GB", "zh"])).toBe("en");
    expect(preferred(["fr"])).toBe("en");
    expect(preferred([])).toBe("en");
  });
});
