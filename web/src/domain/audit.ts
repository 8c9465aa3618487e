/** What a line of the audit log says: which sentence, and whose names it needs. */
import type { components } from "@/api/gen";

export type AuditLine = components["schemas"]["AuditLine"];

export interface Sentence {
  /** Its place among the texts of the audit log. */
  key: string;
  /** The account that did it; `visitor` and `system` are nobody's. */
  who: string;
  /** The account that it was done to. */
  account: string | null;
  /** What else it says. */
  numbers: Record<string, string>;
  /** Bytes, when it is about them. */
  bytes: number | null;
}

export function sentence(line: AuditLine): Sentence {
  const who = typeof line.actor === "string" ? line.actor : line.actor.account;
  const account = "account" in line && line.account != null ? String(line.account) : null;
  const numbers: Record<string, string> = {};
  for (const name of ["session", "token", "node", "entry", "share"] as const) {
    if (name in line) numbers[name] = String((line as Record<string, unknown>)[name]);
  }
  const bytes = line.event === "quota-changed" ? (line.limit ?? null) : null;
  return {
    key: [line.event, variant(line, who, account)].filter(Boolean).join("."),
    who,
    account,
    numbers,
    bytes,
  };
}

/** Which of the sentences about an event; "" where there is one. */
function variant(line: AuditLine, who: string, account: string | null): string {
  switch (line.event) {
    case "account-made":
      return who === "visitor" ? "self" : "other";
    case "signed-in":
      return `${who === "visitor" ? "somebody" : "known"}-${line.door}`;
    case "sign-in-failed":
      return account ? "known" : "unknown";
    case "everything-off":
      return `${who === account ? "self" : "other"}${line.api_tokens ? "-tokens" : ""}`;
    case "password-changed":
      return who === account ? "self" : "other";
    case "dialect-allowed":
      return line.allowed ? "yes" : "no";
    case "role-changed":
      return line.role;
    case "state-changed":
      return line.state;
    case "quota-changed":
      return line.limit == null ? "none" : "bytes";
    default:
      return "";
  }
}
