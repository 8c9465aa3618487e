/** Links: their state, their terms, and what their owner copies. */

/** Lengths of life that can be chosen: days, or never. */
export const LIFETIMES = ["1", "7", "30", "never"] as const;
export type Lifetime = (typeof LIFETIMES)[number];

/** Downloads that a link may be limited to at most. */
const DOWNLOADS_MAX = 1_000_000;

const DAY_MS = 86_400_000;
/** A link that was made a moment ago still has the length of life that was chosen. */
const NEAR_MS = 10 * 60_000;

export interface Terms {
  revoked: boolean;
  expires_at: string | null;
  downloads_left: number | null;
  node: { parent: string | null };
}

/** `gone`: what it leads to is in the trash. */
export type ShareState = "active" | "withdrawn" | "expired" | "gone" | "used-up";

/** The state of a link. What the drive tells visitors first comes first. */
export function stateOf(share: Terms, now: Date): ShareState {
  if (share.revoked) return "withdrawn";
  if (share.expires_at !== null && new Date(share.expires_at) <= now) return "expired";
  if (share.node.parent === null) return "gone";
  if (share.downloads_left === 0) return "used-up";
  return "active";
}

/** When a link ends that lives so long from now on. */
export function endOf(lifetime: Lifetime, now: Date): string | null {
  if (lifetime === "never") return null;
  return new Date(now.getTime() + Number(lifetime) * DAY_MS).toISOString();
}

/** The choice that an end is, seen from now; none when it is another. */
export function lifetimeOf(expiresAt: string | null, now: Date): Lifetime | null {
  if (expiresAt === null) return "never";
  const left = new Date(expiresAt).getTime() - now.getTime();
  const found = LIFETIMES.find((one) => Math.abs(Number(one) * DAY_MS - left) <= NEAR_MS);
  return found ?? null;
}

/** May this be a code? The drive takes 4 to 16 letters and digits; their case does not count. */
export function isCode(text: string): boolean {
  return /^[0-9a-z]{4,16}$/i.test(text.trim());
}

/** How many downloads a text allows: none given is any number; `undefined` when it says no such number. */
export function downloadsOf(text: string): number | null | undefined {
  const plain = text.trim();
  if (plain === "") return null;
  if (!/^\d+$/.test(plain)) return undefined;
  const number = Number(plain);
  return number >= 1 && number <= DOWNLOADS_MAX ? number : undefined;
}

/** Where a link is. With a code it is in the fragment, which browsers keep to themselves. */
export function linkOf(origin: string, token: string, code?: string | null): string {
  const link = `${origin}/s/${token}`;
  return code ? `${link}#${encodeURIComponent(code)}` : link;
}

/** The code in the fragment of an address; empty when there is none that could be one. */
export function codeIn(hash: string): string {
  let text: string;
  try {
    text = decodeURIComponent(hash.replace(/^#/, ""));
  } catch {
    return "";
  }
  return isCode(text) ? text.trim() : "";
}

/** A name as a title takes it: its beginning and its end, when it is long. */
export function brief(name: string): string {
  const [TITLE_MAX, HEAD, TAIL] = [48, 30, 14];
  const characters = [...name];
  if (characters.length <= TITLE_MAX) return name;
  return `${characters.slice(0, HEAD).join("")}…${characters.slice(-TAIL).join("")}`;
}

/** When a link ends, to the minute. */
export function minute(iso: string, locale: string): string {
  const format = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
  return format.format(new Date(iso));
}
