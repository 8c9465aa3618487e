import { expect, test } from "vitest";
import { pauseAfter } from "./upload-patience";

test.each([
  ["no-answer", 0, undefined, { kind: "away", ms: 1_000 }],
  ["no-answer", 3, undefined, { kind: "away", ms: 8_000 }],
  ["database-unavailable", 1_000, undefined, { kind: "away", ms: 15_000 }],
  ["rate-limited", 0, undefined, { kind: "soon", ms: 500 }],
  ["rate-limited", 0, 7, { kind: "soon", ms: 7_000 }],
  ["rate-limited", 0, 3_600, { kind: "soon", ms: 60_000 }],
  ["upload-busy", 59, undefined, { kind: "soon", ms: 5_000 }],
  ["upload-busy", 60, undefined, null],
  ["checksum-differs", 1, undefined, { kind: "soon", ms: 1_000 }],
  ["checksum-differs", 2, undefined, null],
  ["quota-exceeded", 0, undefined, null],
  ["name-taken", 0, undefined, null],
  ["session-ended", 0, undefined, null],
] as const)("%s after %d failures", (code, times, retryAfter, pause) => {
  expect(pauseAfter(code, times, retryAfter)).toEqual(pause);
});
