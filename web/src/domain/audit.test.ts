import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import en from "../i18n/en/admin.json";
import zh from "../i18n/zh-CN/admin.json";
import { type AuditLine, sentence } from "./audit";

interface Described {
  properties: Record<string, { enum?: string[]; type?: string; $ref?: string; oneOf?: object[] }>;
}
const api = JSON.parse(readFileSync("../docs/openapi.json", "utf8")) as {
  components: { schemas: Record<string, { oneOf: Described[]; enum?: string[] }> };
};
const { AuditEvent } = api.components.schemas;

/** All values that matter to the words of a field of an event. */
function values(name: string, field: Described["properties"][string]): unknown[] {
  const named = field.$ref?.split("/").pop() ?? "";
  const known = api.components.schemas[named]?.enum ?? field.enum;
  if (known) return known;
  if (field.type === "boolean") return [true, false];
  // Account 7 is the one that acts.
  if (name === "account") return field.oneOf ? [null, 6, 7] : [6, 7];
  return field.oneOf ? [null, 1024] : [9];
}

const lines = (AuditEvent?.oneOf ?? []).flatMap(({ properties }) => {
  let all: Record<string, unknown>[] = [{}];
  for (const [name, field] of Object.entries(properties)) {
    all = all.flatMap((one) => values(name, field).map((value) => ({ ...one, [name]: value })));
  }
  const actors = ["visitor", "system", { account: "7" }];
  return all.flatMap((one) => actors.map((actor) => ({ ...one, actor }) as unknown as AuditLine));
});

function words(texts: object, key: string): unknown {
  return key
    .split(".")
    .reduce<unknown>((at, part) => (at as Record<string, unknown> | undefined)?.[part], texts);
}

test("every event that the API may tell has a sentence in both languages", () => {
  expect(lines.length).toBeGreaterThan(60);
  for (const texts of [en.audit.event, zh.audit.event]) {
    const missing = lines.map(sentence).filter(({ key }) => typeof words(texts, key) !== "string");
    expect([...new Set(missing.map(({ key }) => key))]).toEqual([]);
  }
});

test("a sentence names nothing that its line does not tell", () => {
  for (const texts of [en.audit.event, zh.audit.event]) {
    for (const line of lines) {
      const { key, account, numbers, bytes } = sentence(line);
      const given = ["who", ...Object.keys(numbers)];
      if (account) given.push("account");
      if (bytes !== null) given.push("size");
      const used = [...String(words(texts, key)).matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(
        used.filter((name) => name && !given.includes(name)),
        key,
      ).toEqual([]);
    }
  }
});

test.each([
  [{ actor: "visitor", event: "account-made", account: 6 }, "account-made.self"],
  [{ actor: { account: "7" }, event: "password-changed", account: 7 }, "password-changed.self"],
  [{ actor: { account: "7" }, event: "password-changed", account: 6 }, "password-changed.other"],
  [{ actor: "visitor", event: "sign-in-failed", door: "v1" }, "sign-in-failed.unknown"],
  [
    { actor: { account: "7" }, event: "quota-changed", account: 6, limit: null },
    "quota-changed.none",
  ],
  [{ actor: { account: "7" }, event: "purged", entry: 3 }, "purged"],
])("%j is told as %s", (line, key) => {
  expect(sentence(line as unknown as AuditLine).key).toBe(key);
});
