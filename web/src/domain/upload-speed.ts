/** How fast bytes go, and how long the rest takes. */

/** What is looked back on, milliseconds: long enough to be calm, short enough to be true. */
const WINDOW_MS = 5_000;
/** Nothing is said before this much time has passed. */
const KNOWN_AFTER_MS = 700;

/** Bytes per second of the last seconds. Times are milliseconds of any clock that goes forward. */
export class Speed {
  #samples: { at: number; bytes: number }[] = [];
  #begun: number | null = null;

  /** So many bytes went since the last time. */
  add(at: number, bytes: number): void {
    this.#begun ??= at;
    this.#samples.push({ at, bytes });
    this.#forget(at);
  }

  /** `null` while it is not known. */
  rate(at: number): number | null {
    this.#forget(at);
    if (this.#begun === null) return null;
    const lasted = Math.min(at - this.#begun, WINDOW_MS);
    if (lasted < KNOWN_AFTER_MS) return null;
    const bytes = this.#samples.reduce((sum, sample) => sum + sample.bytes, 0);
    return (bytes * 1_000) / lasted;
  }

  /** Nothing goes for now: the pause does not count. */
  stop(): void {
    this.#samples = [];
    this.#begun = null;
  }

  #forget(at: number): void {
    let old = 0;
    while (old < this.#samples.length && (this.#samples[old]?.at ?? at) <= at - WINDOW_MS) old += 1;
    if (old > 0) this.#samples.splice(0, old);
  }
}

/** Seconds until so many bytes have gone; `null` when it can't be said. */
export function secondsLeft(bytes: number, rate: number | null): number | null {
  if (rate === null || rate < 1) return null;
  return bytes / rate;
}

/** A time in one unit, as people say it. */
export interface Span {
  unit: "seconds" | "minutes" | "hours";
  count: number;
}

/** Rounded up, so that it is not over before it is over. */
export function span(seconds: number): Span {
  if (seconds <= 55) return { unit: "seconds", count: Math.max(5, Math.ceil(seconds / 5) * 5) };
  if (seconds <= 3_540) return { unit: "minutes", count: Math.ceil(seconds / 60) };
  return { unit: "hours", count: Math.ceil(seconds / 3_600) };
}
