/** Sizes and rates as people read them. Powers of 1024, as the drive's quotas are. */
const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"] as const;

/** `1.4 GB`: three digits at most. */
export function size(bytes: number, locale: string): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  const number = new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value);
  return `${number} ${UNITS[unit]}`;
}

/** `18 MB/s` */
export function rate(bytesPerSecond: number, locale: string): string {
  return `${size(bytesPerSecond, locale)}/s`;
}
