import { describe, expect, test } from "vitest";
import en from "../i18n/en/admin.json";
import zh from "../i18n/zh-CN/admin.json";
import {
  type Cluster,
  type Group,
  type LagReason,
  type Member,
  type MemberState,
  memberHealth,
  memberReason,
  series,
  sparkline,
  summary,
} from "./cluster";

const GB = 1024 ** 3;

function member(given: Partial<Member> = {}): Member {
  return {
    ...{ id: "s1", address: "10.0.0.1:23000", state: "active", version: "1", since: null },
    ...{ total_bytes: 100 * GB, free_bytes: 60 * GB, uploads: 0, downloads: 0, deletes: 0 },
    ...{ bytes_in: 0, bytes_out: 0, connections: 1, connections_max: 2, heartbeat_age_s: 3 },
    ...{ lag_s: 0, lag_reason: "up-to-date" },
    ...given,
  };
}
function group(name: string, members: Member[] | null, given: Partial<Group> = {}): Group {
  const bytes = { total_bytes: 100 * GB, free_bytes: 60 * GB, reserved_bytes: 10 * GB };
  return { name, ...bytes, members, ...given };
}
function cluster(groups: Group[] | null, silent = 0): Cluster {
  const tracker = { address: "10.0.0.9:22122", answers: true, fault: null, leads: true };
  const dead = {
    address: "10.0.0.8:22122",
    answers: false,
    fault: "silent" as const,
    leads: false,
  };
  return { kind: "fastdfs", trackers: [tracker, ...Array(silent).fill(dead)], groups };
}

const two = [member(), member({ id: "s2", address: "10.0.0.2:23000" })];
const lagging = (lag_s: number): Member =>
  member({ id: "s3", address: "10.0.0.3:23000", lag_s, lag_reason: "catching-up" });
const gone = member({ state: "offline", lag_reason: "away", lag_s: null });

test.each<[string, Cluster, string, string[]]>([
  ["all serve and have the same", cluster([group("g1", two)]), "good", ["all-serve", "copied"]],
  [
    "there is one",
    cluster([group("g1", [member({ lag_reason: "alone" })])]),
    "good",
    ["one-serves"],
  ],
  ["one copies", cluster([group("g1", [...two, lagging(3)])]), "good", ["all-serve", "behind"]],
  [
    "one is far behind",
    cluster([group("g1", [...two, lagging(600)])]),
    "wait",
    ["all-serve", "behind"],
  ],
  ["one is offline", cluster([group("g1", [member(), gone])]), "bad", ["some-serve", "is.offline"]],
  [
    "one gets the old files",
    cluster([group("g1", [member(), member({ state: "syncing", lag_reason: "filling" })])]),
    "wait",
    ["some-serve", "is.syncing"],
  ],
  [
    "what was removed does not count",
    cluster([group("g1", [...two, member({ state: "deleted" })])]),
    "good",
    ["all-serve", "copied"],
  ],
  [
    "a tracker is silent",
    cluster([group("g1", two)], 1),
    "wait",
    ["all-serve", "copied", "trackers"],
  ],
  ["no tracker tells", cluster(null), "bad", ["no-tracker"]],
  ["nobody has come", cluster([]), "wait", ["no-group"]],
  ["members are not known", cluster([group("g1", null)]), "wait", ["members-unknown"]],
  [
    "a group is full",
    cluster([group("g1", two, { free_bytes: 10 * GB })]),
    "bad",
    ["all-serve", "full", "copied"],
  ],
  [
    "a group is nearly full",
    cluster([group("g1", two, { free_bytes: 14 * GB })]),
    "wait",
    ["all-serve", "low", "copied"],
  ],
  ["the bytes lie in S3", { kind: "s3", trackers: [], groups: [] }, "good", ["s3"]],
])("the sentence when %s", (_, seen, health, keys) => {
  const said = summary(seen);
  expect(said.health).toBe(health);
  expect(said.parts.map(({ key }) => key)).toEqual(keys);
  for (const texts of [en.cluster.sentence, zh.cluster.sentence]) {
    for (const { key, given, seconds } of said.parts) {
      const words = key.split(".").reduce<unknown>((at, part) => (at as never)?.[part], texts);
      expect(typeof words, key).toBe("string");
      const used = [...String(words).matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? "");
      const known = [...Object.keys(given), ...(seconds === undefined ? [] : ["time"])];
      expect(
        used.filter((name) => !known.includes(name)),
        key,
      ).toEqual([]);
    }
  }
});

test("the group that is furthest behind is the one that is named", () => {
  const seen = cluster([group("g1", [member(), lagging(3)]), group("g2", [member(), lagging(9)])]);
  expect(summary(seen).parts[1]).toEqual({ key: "behind", given: { group: "g2" }, seconds: 9 });
});

describe("a member", () => {
  const states: MemberState[] = [
    ...(["init", "wait-sync", "syncing", "ip-changed", "deleted"] as const),
    ...(["offline", "online", "active", "recovery", "unknown"] as const),
  ];
  const reasons: LagReason[] = [
    ...(["alone", "nothing-to-do", "up-to-date", "catching-up"] as const),
    ...(["filling", "never-synced", "away"] as const),
  ];

  test("says why it is as it is, and what to do, in both languages", () => {
    for (const texts of [en.cluster, zh.cluster]) {
      for (const state of states) {
        expect(Object.keys(texts.state)).toContain(state);
        for (const lag_reason of reasons) {
          for (const lag_s of [null, 3, 600]) {
            const { why, todo } = memberReason(member({ state, lag_reason, lag_s }));
            expect(Object.keys(texts.why)).toContain(why.key);
            if (todo) expect(Object.keys(texts.todo)).toContain(todo);
          }
        }
      }
    }
  });

  test.each<[Partial<Member>, string, string, string | null]>([
    [{}, "good", "active-up-to-date", null],
    [{ lag_reason: "catching-up", lag_s: 5 }, "good", "catching-up", null],
    [{ lag_reason: "catching-up", lag_s: 500 }, "wait", "catching-up", "catching-up"],
    [{ lag_reason: "never-synced", lag_s: null }, "bad", "never-synced", "never-synced"],
    [{ heartbeat_age_s: 500 }, "wait", "late", "late"],
    [{ state: "offline" }, "bad", "offline", "offline"],
    [{ state: "recovery" }, "wait", "recovery", "recovery"],
  ])("%j is %s: %s", (given, health, why, todo) => {
    expect(memberHealth(member(given))).toBe(health);
    expect(memberReason(member(given)).why.key).toBe(why);
    expect(memberReason(member(given)).todo).toBe(todo);
  });
});

test("a group's past has a gap where no tracker told, and where it was not there", () => {
  const sample = {
    ...{ bytes_in_per_s: 5, bytes_out_per_s: 7 },
    uploads_per_s: 0,
    downloads_per_s: 0,
  };
  const history = {
    every_s: 10,
    samples: [
      {
        at: "2026-01-01T00:00:00Z",
        groups: [{ name: "g1", ...sample, free_bytes: 1, lag_s: null }],
      },
      { at: "2026-01-01T00:00:10Z", groups: null },
      { at: "2026-01-01T00:00:20Z", groups: [] },
    ],
  };
  const { at, values } = series(history, "g1", "traffic");
  expect(at[1] as number).toBe((at[0] as number) + 10);
  expect(values).toEqual([
    [5, null, null],
    [7, null, null],
  ]);
});

test("a small line goes from its floor to its greatest value, and breaks in gaps", () => {
  expect(sparkline([0, 10, 5], 100, 20)).toBe("M0 20L50 0L100 10");
  expect(sparkline([2, null, 2], 100, 20)).toBe("M0 0M100 0");
  expect(sparkline([], 100, 20)).toBe("");
  expect(sparkline([0, 0], 100, 20)).toBe("M0 20L100 20");
});
