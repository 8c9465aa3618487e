/** How long something lasts, in the largest unit that fits: `3 s`, `5 min`, `2 hr`. */
export function span(seconds: number, locale: string): string {
  const steps = [
    ["day", 86_400],
    ["hour", 3_600],
    ["minute", 60],
    ["second", 1],
  ] as const;
  const [unit, length] = steps.find(([, size]) => seconds >= size) ?? (["second", 1] as const);
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "short" }).format(
    Math.round(seconds / length),
  );
}
