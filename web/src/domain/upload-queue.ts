/** The queue of uploads: in which state each file is, what may happen to it, and which is next. No bytes are sent here. */

export type UploadState =
  /** Its turn has not come. */
  | "waiting"
  /** Its digest is computed; the drive may have it already. */
  | "checking"
  | "sending"
  /** All bytes are there; the drive makes the file. */
  | "finishing"
  /** The drive can't be reached; it goes on by itself. */
  | "away"
  | "paused"
  /** Begun before the page was loaded: it goes on when its file is there again. */
  | "lost"
  /** The drive had it: nothing was sent. */
  | "here"
  | "done"
  /** Somebody chose to leave it out. */
  | "skipped"
  | "failed";

/** What happens to a file. */
export type UploadEvent =
  | { what: "check" }
  | { what: "send"; sent: number }
  | { what: "finish" }
  | { what: "here" }
  | { what: "done" }
  | { what: "away" }
  | { what: "skip" }
  | { what: "fail"; problem: string }
  | { what: "pause" }
  /** Paused, failed, left out or lost before: it waits for its turn again. */
  | { what: "go" };

/** A file on its way. It is never changed: what happens makes a new one. */
export interface Job {
  readonly id: number;
  /** Files that came together with the same top folder. */
  readonly group: string;
  readonly name: string;
  /** Names of the folders above it, below its group's. */
  readonly below: string;
  readonly size: number;
  readonly sent: number;
  readonly state: UploadState;
  /** Why it failed. */
  readonly problem: string | null;
  /** Begun in another browser: only the drive knows of it. */
  readonly elsewhere: boolean;
}

type What = UploadEvent["what"];

const RUNS = {
  check: "checking",
  send: "sending",
  finish: "finishing",
  here: "here",
  done: "done",
  away: "away",
  skip: "skipped",
  fail: "failed",
} as const;

/** What may happen in which state, and what comes of it. Anything else comes too late and changes nothing. */
const TABLE: Record<UploadState, Partial<Record<What, UploadState>>> = {
  waiting: { ...RUNS, pause: "paused" },
  checking: { ...RUNS, pause: "paused" },
  sending: { ...RUNS, pause: "paused" },
  away: { ...RUNS, pause: "paused" },
  // What is there can't be held back.
  finishing: RUNS,
  paused: { go: "waiting" },
  lost: { go: "waiting" },
  failed: { go: "waiting" },
  skipped: { go: "waiting" },
  here: {},
  done: {},
};

/** A file after something happened to it; the same one when that can't happen to it. */
export function step(job: Job, event: UploadEvent): Job {
  const state = TABLE[job.state][event.what];
  if (state === undefined) return job;
  switch (event.what) {
    case "send":
      return { ...job, state, sent: Math.min(event.sent, job.size), problem: null };
    case "finish":
    case "done":
      return { ...job, state, sent: job.size };
    case "here":
      return { ...job, state, sent: 0 };
    case "fail":
      return { ...job, state, problem: event.problem };
    case "go":
      return { ...job, state, problem: null };
    default:
      return { ...job, state };
  }
}

/** Does something go on with it? */
export function isRunning(state: UploadState): boolean {
  return state === "checking" || state === "sending" || state === "finishing" || state === "away";
}

/** Is there nothing more to do with it? */
export function isOver(state: UploadState): boolean {
  return state === "done" || state === "here" || state === "skipped";
}

/** Would something be lost if the page went away now? */
export function wouldLose(state: UploadState): boolean {
  return state === "waiting" || isRunning(state);
}

/** May it be held back? */
export function canPause(state: UploadState): boolean {
  return TABLE[state].pause !== undefined;
}

/** The files, in their order, and whose turn it is. */
export class Queue {
  readonly #jobs = new Map<number, Job>();
  /** Ids of those that wait, the next first; some that don't wait any more are still among them. */
  #waiting: number[] = [];
  #running = 0;

  /** `atOnce` files are on their way at the same time. */
  constructor(readonly atOnce: number) {}

  get(id: number): Job | undefined {
    return this.#jobs.get(id);
  }

  all(): Job[] {
    return [...this.#jobs.values()];
  }

  add(job: Job): void {
    this.#put(job);
  }

  remove(id: number): void {
    const job = this.#jobs.get(id);
    if (job && isRunning(job.state)) this.#running -= 1;
    this.#jobs.delete(id);
  }

  /** Something happened to a file. `false` when it can't. */
  happen(id: number, event: UploadEvent): boolean {
    const before = this.#jobs.get(id);
    if (!before) return false;
    const after = step(before, event);
    if (after === before) return false;
    if (isRunning(before.state)) this.#running -= 1;
    this.#put(after);
    return true;
  }

  /** The file whose turn it is, if one may begin. It counts as running from its first event on. */
  next(): Job | null {
    if (this.#running >= this.atOnce) return null;
    while (this.#waiting.length > 0) {
      const job = this.#jobs.get(this.#waiting.shift() ?? -1);
      if (job?.state === "waiting") return job;
    }
    return null;
  }

  #put(job: Job): void {
    this.#jobs.set(job.id, job);
    if (isRunning(job.state)) this.#running += 1;
    if (job.state === "waiting") this.#waiting.push(job.id);
  }
}

/** All files in numbers. */
export interface Totals {
  files: number;
  /** There, sent or not. */
  there: number;
  failed: number;
  paused: number;
  lost: number;
  skipped: number;
  waiting: number;
  running: number;
  away: number;
  /** Bytes of all that are to be there, and of those that are. */
  bytes: number;
  bytesThere: number;
  /** Bytes that have yet to go, of what runs or waits. */
  bytesLeft: number;
}

export function totals(jobs: readonly Job[]): Totals {
  const sum: Totals = {
    files: jobs.length,
    there: 0,
    failed: 0,
    paused: 0,
    lost: 0,
    skipped: 0,
    waiting: 0,
    running: 0,
    away: 0,
    bytes: 0,
    bytesThere: 0,
    bytesLeft: 0,
  };
  for (const { state, size, sent } of jobs) {
    const there = state === "done" || state === "here";
    if (there) sum.there += 1;
    else if (state === "failed") sum.failed += 1;
    else if (state === "paused") sum.paused += 1;
    else if (state === "lost") sum.lost += 1;
    else if (state === "skipped") sum.skipped += 1;
    else if (state === "waiting") sum.waiting += 1;
    else sum.running += 1;
    if (state === "away") sum.away += 1;
    if (state === "skipped") continue;
    sum.bytes += size;
    sum.bytesThere += there ? size : sent;
    if (wouldLose(state)) sum.bytesLeft += size - sent;
  }
  return sum;
}

/** What the tray's one line says. */
export type Phase = "running" | "away" | "stopped" | "paused" | "lost" | "over";

export function phaseOf(sum: Totals, stopped: boolean): Phase {
  if (sum.running > 0) return sum.away === sum.running ? "away" : "running";
  if (sum.waiting > 0) return stopped ? "stopped" : "running";
  if (sum.paused > 0) return "paused";
  return sum.lost > 0 ? "lost" : "over";
}

/** A row of the tray: a group's head, or a file. */
export type Row =
  | { kind: "group"; group: string; files: number; there: number }
  | { kind: "file"; job: Job };

/** Files under the heads of their groups, both in the order in which they came. */
export function rowsOf(jobs: readonly Job[]): Row[] {
  const groups = new Map<string, Job[]>();
  for (const job of jobs) {
    const group = groups.get(job.group);
    if (group) group.push(job);
    else groups.set(job.group, [job]);
  }
  const rows: Row[] = [];
  for (const [group, files] of groups) {
    const there = files.filter(({ state }) => state === "done" || state === "here").length;
    rows.push({ kind: "group", group, files: files.length, there });
    for (const job of files) rows.push({ kind: "file", job });
  }
  return rows;
}
