/** Which problems pass by themselves, and how long to wait before it is tried again. */

/** The drive can't be reached, or a part of it does not answer: for as long as it takes. */
const AWAY = new Set([
  "no-answer",
  "body-broke",
  "body-late",
  "blob-store-unavailable",
  "database-unavailable",
  "queue-unavailable",
]);
/** Something else is at it, or it was too often. A writer that died is waited for: its lease lasts a minute. */
const SOON = new Set([
  "rate-limited",
  "upload-busy",
  "offset-differs",
  "idempotency-in-progress",
  "upload-incomplete",
]);
/** Bytes changed on their way: they are sent again, but not for ever. */
const AGAIN = new Set(["checksum-differs"]);

const AWAY_MS = [1_000, 2_000, 4_000, 8_000, 15_000];
const SOON_MS = [500, 1_000, 2_000, 3_000, 5_000];
const SOON_TIMES = 60;
const AGAIN_TIMES = 2;
/** An answer that asks for a longer pause is not followed. */
const PAUSE_MAX_MS = 60_000;

export interface Pause {
  /** Until the connection is back, or only for a moment. */
  kind: "away" | "soon";
  ms: number;
}

/** How long to wait after the `times`-th failure in a row, counted from 0; `null` when it does not pass by itself. */
export function pauseAfter(code: string, times: number, retryAfterS?: number): Pause | null {
  if (AWAY.has(code)) return { kind: "away", ms: at(AWAY_MS, times) };
  if (SOON.has(code) && times < SOON_TIMES) {
    const wanted = (retryAfterS ?? 0) * 1_000;
    return { kind: "soon", ms: Math.min(PAUSE_MAX_MS, Math.max(at(SOON_MS, times), wanted)) };
  }
  if (AGAIN.has(code) && times < AGAIN_TIMES) return { kind: "soon", ms: at(SOON_MS, times) };
  return null;
}

function at(pauses: readonly number[], times: number): number {
  return pauses[Math.min(times, pauses.length - 1)] ?? 0;
}
