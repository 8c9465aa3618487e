/** Space that an account may have, as it is typed: in GB. */
const GB = 1024 ** 3;

/** Bytes; `null` when it is no number of GB that the drive takes. */
export function quotaOf(text: string): number | null {
  const typed = text.trim().replace(",", ".");
  if (!/^\d+(\.\d+)?$/.test(typed)) return null;
  const bytes = Math.round(Number(typed) * GB);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** What the field shows of a quota. */
export function quotaText(bytes: number): string {
  return String(Math.round((bytes / GB) * 1000) / 1000);
}
