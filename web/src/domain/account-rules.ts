/** What the drive takes as a user name and as a password, as far as a page can tell at once. The drive decides. */

const NAME_MIN = 2;
const NAME_MAX = 32;
const PASSWORD_MIN = 8;
const PASSWORD_BYTES_MAX = 1024;

const NAME = /^[\p{L}\p{N}][\p{L}\p{N}\p{M}._-]*$/u;

export function nameFault(text: string): "name-length" | "name-characters" | null {
  const characters = [...text.normalize("NFC")].length;
  if (characters < NAME_MIN || characters > NAME_MAX) return "name-length";
  return NAME.test(text.normalize("NFC")) ? null : "name-characters";
}

export function passwordFault(text: string): "password-short" | "password-long" | null {
  if ([...text].length < PASSWORD_MIN) return "password-short";
  return new TextEncoder().encode(text).length > PASSWORD_BYTES_MAX ? "password-long" : null;
}

/** Letters and digits that nobody mistakes for each other, on paper or on the phone. 32 of them: a byte picks one evenly. */
const ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789A";
const GROUPS = 4;
const GROUP = 4;

/** A password to hand over: 80 random bits, in groups that are easy to read out. */
export function generatedPassword(
  random: (count: number) => Uint8Array = (count) => crypto.getRandomValues(new Uint8Array(count)),
): string {
  const picked = Array.from(random(GROUPS * GROUP), (byte) => ALPHABET[byte % ALPHABET.length]);
  return Array.from({ length: GROUPS }, (_, at) =>
    picked.slice(at * GROUP, (at + 1) * GROUP).join(""),
  ).join("-");
}
