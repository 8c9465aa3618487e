/**
 * The servers that keep the bytes, in words: one sentence for all of them, and for each why it is as it is and what to
 * do. What is said is a key of the texts with what goes into it; the language is the page's.
 */

/** `GET /admin/cluster`. */
export interface Cluster {
  kind: "fastdfs" | "s3";
  trackers: Tracker[];
  groups: Group[] | null;
}

export interface Tracker {
  address: string;
  answers: boolean;
  fault: "unreachable" | "silent" | "broken" | "refused" | null;
  leads: boolean;
}

export interface Group {
  name: string;
  total_bytes: number;
  free_bytes: number;
  reserved_bytes: number;
  members: Member[] | null;
}

export type MemberState =
  | "init"
  | "wait-sync"
  | "syncing"
  | "ip-changed"
  | "deleted"
  | "offline"
  | "online"
  | "active"
  | "recovery"
  | "unknown";

export type LagReason =
  | "alone"
  | "nothing-to-do"
  | "up-to-date"
  | "catching-up"
  | "filling"
  | "never-synced"
  | "away";

export interface Member {
  id: string;
  address: string;
  state: MemberState;
  version: string;
  since: string | null;
  total_bytes: number;
  free_bytes: number;
  uploads: number;
  downloads: number;
  deletes: number;
  bytes_in: number;
  bytes_out: number;
  connections: number;
  connections_max: number;
  heartbeat_age_s: number | null;
  lag_s: number | null;
  lag_reason: LagReason;
}

/** `GET /admin/cluster/history`. */
export interface History {
  every_s: number;
  samples: Sample[];
}

export interface Sample {
  at: string;
  groups: GroupSample[] | null;
}

export interface GroupSample {
  name: string;
  bytes_in_per_s: number;
  bytes_out_per_s: number;
  uploads_per_s: number;
  downloads_per_s: number;
  free_bytes: number;
  lag_s: number | null;
}

export type Health = "good" | "wait" | "bad";

/** A part of a sentence. Seconds are given apart: they are written in the page's language. */
export interface Said {
  key: string;
  given: Record<string, string | number>;
  seconds?: number;
}

export interface Summary {
  health: Health;
  parts: Said[];
}

/** What is this close behind is a copy under way, and nothing to look at. */
const LAG_USUAL_S = 60;
/** A member that was not heard for so long may be gone; the trackers give it some beats. */
const HEARTBEAT_LATE_S = 100;
/** A group with a smaller part than this for new files is soon full. */
const ROOM_LOW = 0.05;

const worst = (one: Health, other: Health): Health => {
  const order: Health[] = ["good", "wait", "bad"];
  return order[Math.max(order.indexOf(one), order.indexOf(other))] as Health;
};

/** Those that are of the group: not what is left of one that was removed or moved. */
const counted = (members: readonly Member[]): Member[] =>
  members.filter(({ state }) => state !== "deleted" && state !== "ip-changed");

/** Bytes that new files may take. */
export const room = (group: Group): number => Math.max(0, group.free_bytes - group.reserved_bytes);

/** How all of it is, in a sentence. */
export function summary(cluster: Cluster): Summary {
  if (cluster.kind === "s3") return { health: "good", parts: [{ key: "s3", given: {} }] };
  let health: Health = "good";
  const parts: Said[] = [];
  const add = (how: Health, key: string, given: Said["given"] = {}, seconds?: number): void => {
    health = worst(health, how);
    parts.push({ key, given, ...(seconds === undefined ? {} : { seconds }) });
  };

  const silent = cluster.trackers.filter(({ answers }) => !answers);
  if (cluster.groups === null) {
    add("bad", "no-tracker");
    return { health, parts };
  }
  const groups = cluster.groups;
  const all = groups.flatMap((group) =>
    counted(group.members ?? []).map((member) => ({ group: group.name, member })),
  );
  const down = all.filter(({ member }) => member.state !== "active");
  if (groups.length === 0) {
    add("wait", "no-group");
  } else if (all.length > 0 && down.length === 0) {
    add("good", all.length === 1 ? "one-serves" : "all-serve", { count: all.length });
  } else if (all.length > 0) {
    const coming = down.every(({ member }) => memberHealth(member) === "wait");
    add(coming ? "wait" : "bad", "some-serve", {
      serving: all.length - down.length,
      count: all.length,
    });
    for (const { group, member } of down) {
      add("good", `is.${member.state}`, { group, address: member.address });
    }
  }
  for (const group of groups) {
    if (group.members === null) add("wait", "members-unknown", { group: group.name });
    else if (group.members.length > 0 && room(group) === 0)
      add("bad", "full", { group: group.name });
    else if (group.members.length > 0 && room(group) < group.total_bytes * ROOM_LOW) {
      add("wait", "low", { group: group.name });
    }
  }
  const behind = all
    .filter(({ member }) => member.state === "active" && (member.lag_s ?? 0) > 0)
    .sort((one, other) => (other.member.lag_s ?? 0) - (one.member.lag_s ?? 0))[0];
  if (behind) {
    const seconds = behind.member.lag_s ?? 0;
    add(seconds > LAG_USUAL_S ? "wait" : "good", "behind", { group: behind.group }, seconds);
  } else if (down.length === 0 && all.length > 1) {
    add("good", "copied");
  }
  if (silent.length > 0) {
    add("wait", "trackers", { silent: silent.length, count: cluster.trackers.length });
  }
  return { health, parts };
}

export function memberHealth(member: Member): Health {
  switch (member.state) {
    case "active":
      if (member.lag_reason === "never-synced") return "bad";
      if ((member.heartbeat_age_s ?? 0) > HEARTBEAT_LATE_S) return "wait";
      return (member.lag_s ?? 0) > LAG_USUAL_S ? "wait" : "good";
    case "online":
    case "init":
    case "wait-sync":
    case "syncing":
    case "recovery":
      return "wait";
    default:
      return "bad";
  }
}

/** Why a member is as it is, and what to do, if there is anything: keys of `why` and `todo`. */
export function memberReason(member: Member): { why: Said; todo: string | null } {
  const late = member.heartbeat_age_s ?? 0;
  if (member.state !== "active") {
    return {
      why: { key: member.state, given: {} },
      todo: member.state === "unknown" ? "offline" : member.state,
    };
  }
  if (member.lag_reason === "never-synced") {
    return { why: { key: "never-synced", given: {} }, todo: "never-synced" };
  }
  if (late > HEARTBEAT_LATE_S) {
    return { why: { key: "late", given: {}, seconds: late }, todo: "late" };
  }
  const seconds = member.lag_s ?? 0;
  if (member.lag_reason === "catching-up" && seconds > 0) {
    const why = { key: "catching-up", given: {}, seconds };
    return { why, todo: seconds > LAG_USUAL_S ? "catching-up" : null };
  }
  return { why: { key: `active-${member.lag_reason}`, given: {} }, todo: null };
}

/** What a chart shows of a group. */
export const METRICS = {
  traffic: ["bytes_in_per_s", "bytes_out_per_s"],
  files: ["uploads_per_s", "downloads_per_s"],
  free: ["free_bytes"],
  lag: ["lag_s"],
} as const satisfies Record<string, readonly (keyof Omit<GroupSample, "name">)[]>;
export type Metric = keyof typeof METRICS;

/** A group's values over time, for each number of a metric; `null` where nothing is known. */
export function series(
  history: History,
  group: string,
  metric: Metric,
): { at: number[]; values: (number | null)[][] } {
  const found = history.samples.map(
    (sample) => sample.groups?.find(({ name }) => name === group) ?? null,
  );
  return {
    at: history.samples.map(({ at }) => Math.round(new Date(at).getTime() / 1000)),
    values: METRICS[metric].map((field) => found.map((one) => one?.[field] ?? null)),
  };
}

/** The line of a small chart, from 0 to the greatest value; nothing is drawn where nothing is known. */
export function sparkline(
  values: readonly (number | null)[],
  width: number,
  height: number,
): string {
  const most = Math.max(...values.map((value) => value ?? 0), 1);
  const step = values.length > 1 ? width / (values.length - 1) : 0;
  const round = (value: number): number => Math.round(value * 10) / 10;
  let pen = "M";
  let path = "";
  values.forEach((value, at) => {
    if (value === null) {
      pen = "M";
      return;
    }
    path += `${pen}${round(at * step)} ${round(height - (value / most) * height)}`;
    pen = "L";
  });
  return path;
}
