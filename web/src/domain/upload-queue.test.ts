import { describe, expect, test } from "vitest";
import {
  canPause,
  isRunning,
  type Job,
  phaseOf,
  Queue,
  rowsOf,
  step,
  totals,
  type UploadEvent,
  type UploadState,
  wouldLose,
} from "./upload-queue";

function job(id: number, state: UploadState = "waiting", more: Partial<Job> = {}): Job {
  return {
    id,
    group: "a",
    name: `${id}.txt`,
    below: "",
    size: 100,
    sent: 0,
    state,
    problem: null,
    elsewhere: false,
    ...more,
  };
}

const EVENTS: UploadEvent[] = [
  { what: "check" },
  { what: "send", sent: 40 },
  { what: "finish" },
  { what: "here" },
  { what: "done" },
  { what: "away" },
  { what: "skip" },
  { what: "fail", problem: "quota-exceeded" },
  { what: "pause" },
  { what: "go" },
];

const runs = "checking sending finishing here done away skipped failed";
/** What comes of each event, in the order above; `-` when it can't happen. */
const OUTCOMES: Record<UploadState, string> = {
  waiting: `${runs} paused -`,
  checking: `${runs} paused -`,
  sending: `${runs} paused -`,
  away: `${runs} paused -`,
  finishing: `${runs} - -`,
  paused: "- - - - - - - - - waiting",
  lost: "- - - - - - - - - waiting",
  failed: "- - - - - - - - - waiting",
  skipped: "- - - - - - - - - waiting",
  here: "- - - - - - - - - -",
  done: "- - - - - - - - - -",
};

describe.each(Object.entries(OUTCOMES))("a file that is %s", (state, outcomes) => {
  test.each(EVENTS.map((event, at) => [event.what, outcomes.split(" ")[at], event] as const))(
    "%s: %s",
    (_, outcome, event) => {
      const before = job(1, state as UploadState);
      const after = step(before, event);
      expect(after === before ? "-" : after.state).toBe(outcome);
    },
  );
});

describe("a file", () => {
  test("keeps how far it is when it is paused, and goes on from there", () => {
    const paused = step(step(job(1), { what: "send", sent: 40 }), { what: "pause" });
    expect(paused).toMatchObject({ state: "paused", sent: 40 });
    expect(step(paused, { what: "go" })).toMatchObject({ state: "waiting", sent: 40 });
  });

  test("has sent nothing when the drive had it, and all when it is done", () => {
    expect(step(job(1, "checking"), { what: "here" }).sent).toBe(0);
    expect(step(job(1, "sending"), { what: "done" }).sent).toBe(100);
  });

  test("forgets why it failed when it is tried again", () => {
    const failed = step(job(1), { what: "fail", problem: "no-answer" });
    expect(failed.problem).toBe("no-answer");
    expect(step(failed, { what: "go" }).problem).toBeNull();
  });

  test("is lost with the page only while it is on its way or waits", () => {
    const states = Object.keys(OUTCOMES) as UploadState[];
    expect(states.filter(wouldLose)).toEqual([
      "waiting",
      "checking",
      "sending",
      "away",
      "finishing",
    ]);
    expect(states.filter(canPause)).toEqual(["waiting", "checking", "sending", "away"]);
    expect(states.filter(isRunning)).toEqual(["checking", "sending", "away", "finishing"]);
  });
});

describe("the queue", () => {
  test("lets so many begin at once, in their order, and the next when one is through", () => {
    const queue = new Queue(2);
    for (let id = 1; id <= 4; id += 1) queue.add(job(id));
    const begin = () => {
      const next = queue.next();
      if (next) queue.happen(next.id, { what: "check" });
      return next?.id ?? null;
    };
    expect([begin(), begin(), begin()]).toEqual([1, 2, null]);
    queue.happen(1, { what: "done" });
    expect([begin(), begin()]).toEqual([3, null]);
    queue.remove(2);
    expect([begin(), begin()]).toEqual([4, null]);
  });

  test("passes over those that do not wait any more", () => {
    const queue = new Queue(1);
    for (let id = 1; id <= 3; id += 1) queue.add(job(id));
    queue.happen(1, { what: "pause" });
    queue.remove(2);
    expect(queue.next()?.id).toBe(3);
    expect(queue.next()).toBeNull();
    queue.happen(1, { what: "go" });
    expect(queue.next()?.id).toBe(1);
  });

  test("does not know what is gone", () => {
    const queue = new Queue(1);
    expect(queue.happen(7, { what: "done" })).toBe(false);
    queue.add(job(1, "done"));
    expect(queue.happen(1, { what: "pause" })).toBe(false);
  });
});

describe("all of them in numbers", () => {
  test("bytes that are there count whether or not they were sent, and what is left out does not", () => {
    const sum = totals([
      job(1, "done", { sent: 100 }),
      job(2, "here"),
      job(3, "sending", { sent: 30 }),
      job(4, "waiting"),
      job(5, "skipped"),
      job(6, "failed", { sent: 10 }),
      job(7, "paused", { sent: 50 }),
    ]);
    expect(sum).toEqual({
      files: 7,
      there: 2,
      failed: 1,
      paused: 1,
      lost: 0,
      skipped: 1,
      waiting: 1,
      running: 1,
      away: 0,
      bytes: 600,
      bytesThere: 290,
      bytesLeft: 170,
    });
  });

  test.each([
    [["sending", "waiting"], false, "running"],
    [["away", "away"], false, "away"],
    [["away", "sending"], false, "running"],
    [["waiting"], false, "running"],
    [["waiting", "failed"], true, "stopped"],
    [["sending", "waiting"], true, "running"],
    [["paused", "done"], false, "paused"],
    [["lost", "done"], false, "lost"],
    [["done", "failed", "here"], false, "over"],
    [[], false, "over"],
  ] as const)("%j (stopped: %s) is %s", (states, stopped, phase) => {
    const jobs = states.map((state, at) => job(at, state));
    expect(phaseOf(totals(jobs), stopped)).toBe(phase);
  });

  test("files stand under their groups, in the order in which both came", () => {
    const rows = rowsOf([
      job(1, "done", { group: "b" }),
      job(2, "waiting", { group: "a" }),
      job(3, "here", { group: "b" }),
    ]);
    expect(
      rows.map((row) =>
        row.kind === "group" ? `${row.group} ${row.there}/${row.files}` : row.job.id,
      ),
    ).toEqual(["b 2/2", 1, 3, "a 0/1", 2]);
  });
});
