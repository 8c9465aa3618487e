/** Runs the queue of uploads. Loaded when somebody is signed in, or when the first file comes. */
import { computed, shallowReactive, shallowRef, watch } from "vue";
import { api, done, type OnConflict, Problem } from "@/api/client";
import { Conflicts } from "@/domain/upload-conflicts";
import { type FolderDoor, Folders } from "@/domain/upload-folders";
import { pauseAfter } from "@/domain/upload-patience";
import {
  canPause,
  isOver,
  isRunning,
  type Job,
  phaseOf,
  Queue,
  rowsOf,
  totals,
  type UploadEvent,
  wouldLose,
} from "@/domain/upload-queue";
import { Speed, secondsLeft } from "@/domain/upload-speed";
import { nameOf, pathText, type Tree, treeOf } from "@/domain/upload-tree";
import { i18n } from "@/i18n";
import { changed } from "./changes";
import { ask, open } from "./dialogs";
import { bed, link } from "./pictures";
import { me } from "./session";
import { sayProblem } from "./toasts";
import { forget, type Remembered, remember, remembered } from "./upload-memory";
import { digestOf, giveUp, instant, put, resumable, type Sending } from "./upload-send";

/** Files on their way at the same time. */
const AT_ONCE = 3;
/** Smaller files are sent without asking whether the drive has them. */
const ASK_MIN = 64 * 1024;
/** Smaller files are sent in one request. */
const RESUME_MIN = 1024 * 1024;
/** Larger files are sent without computing their digest first. */
const HASH_MAX = 1024 * 1024 * 1024;
/** The tray shows what happened so often, and folders are read again so often. */
const SHOW_MS = 150;
const TICK_MS = 1_000;
const CHANGED_MS = 1_000;
/** Rows of a page of a folder, as many as the drive gives. */
const PAGE_ROWS = 1_000;
/** An upload that the drive does not know any more begins anew so often. */
const ANEW_TIMES = 3;
/** How long other windows have to say which uploads are theirs. */
const OTHERS_MS = 150;

/** Uploads that the drive does not go on with: they begin anew. */
const GONE = new Set(["upload-not-found", "upload-expired", "upload-ended"]);
/** The session is over: nothing goes on before somebody has signed in. */
const SIGNED_OUT = new Set(["session-ended", "sign-in-needed"]);

/** Files that came together, into one folder. */
interface Batch {
  folders: Pick<Folders, "id" | "forget">;
  conflicts: Conflicts;
  /** Ids of those that are not through. */
  open: Set<number>;
}

/** What is known of a file besides what is shown. */
interface Work {
  batch: Batch | null;
  path: readonly string[];
  file: File | null;
  handle: FileSystemFileHandle | null;
  parent: string | null;
  upload: string | null;
  lastModified: number | null;
  /** The drive compares what comes with the digest that it was begun with. */
  claimed: boolean;
  sha256: string | null;
  onConflict: OnConflict;
  /** It gets a link that shows it. */
  picture: boolean;
  /** What it has become: sent or not, and the file's id, if the drive has told it. */
  there: There | null;
  key: string;
  /** Failures in a row. */
  times: number;
  anew: number;
  control: AbortController | null;
  speed: Speed;
}

interface There {
  node: string | null;
  sent: boolean;
}

/** What a group is called: a folder, or the folder that files were put into. `null`: the root. */
export interface Group {
  name: string | null;
  whole: boolean;
}

const queue = new Queue(AT_ONCE);
const works = new Map<number, Work>();
const speed = new Speed();
export const groups = shallowReactive(new Map<string, Group>());
/** Why no further file begins: a code. */
export const stopped = shallowRef<string | null>(null);
const jobs = shallowRef<readonly Job[]>([]);
const rates = shallowRef<ReadonlyMap<number, number>>(new Map());
export const rate = shallowRef<number | null>(null);
export const sum = computed(() => totals(jobs.value));
export const rows = computed(() => rowsOf(jobs.value));
export const phase = computed(() => phaseOf(sum.value, stopped.value !== null));
export const left = computed(() => secondsLeft(sum.value.bytesLeft, rate.value));

/** So often everything was taken out of the list. */
let allCancelled = 0;
let nextJob = 1;
let nextBatch = 1;
let proofsFrom = 0;
let account: string | null = null;
/** Whose uploads of before are shown. */
let restored: string | null = null;
/** Ids of those that wait for their file. */
const lost = new Set<number>();

/** Bytes per second of a file, and what is left of it in seconds. */
export function paceOf(job: Job): { rate: number | null; left: number | null } {
  const its = rates.value.get(job.id) ?? null;
  return { rate: its, left: secondsLeft(job.size - job.sent, its) };
}

// What is shown.

let showing: ReturnType<typeof setTimeout> | undefined;
let ticking: ReturnType<typeof setTimeout> | undefined;

function show(): void {
  if (showing !== undefined) return;
  showing = setTimeout(() => {
    showing = undefined;
    const now = performance.now();
    jobs.value = queue.all();
    rate.value = speed.rate(now);
    const paces = new Map<number, number>();
    for (const { id, state } of jobs.value) {
      const its = state === "sending" ? works.get(id)?.speed.rate(now) : null;
      if (its != null) paces.set(id, its);
    }
    rates.value = paces;
    warn(jobs.value.some(({ id, state }) => wouldLose(state) || isUnbegun(id, state)));
    // Rates fall although nothing happens.
    clearTimeout(ticking);
    if (jobs.value.some(({ state }) => isRunning(state))) ticking = setTimeout(show, TICK_MS);
    else speed.stop();
  }, SHOW_MS);
}

/** It waits for somebody, and the drive knows nothing of it: the page does not show it again. */
function isUnbegun(id: number, state: Job["state"]): boolean {
  return state === "paused" && works.get(id)?.upload == null;
}

let warns = false;

/** Whoever leaves the page is warned, only while something would be lost. */
function warn(wanted: boolean): void {
  if (wanted === warns) return;
  warns = wanted;
  if (wanted) window.addEventListener("beforeunload", stay);
  else window.removeEventListener("beforeunload", stay);
}

function stay(event: BeforeUnloadEvent): void {
  event.preventDefault();
}

const changedFolders = new Set<string>();
let telling: ReturnType<typeof setTimeout> | undefined;

function tell(folder: string): void {
  changedFolders.add(folder);
  if (telling !== undefined) return;
  telling = setTimeout(() => {
    telling = undefined;
    const folders = [...changedFolders];
    changedFolders.clear();
    changed(...folders.map((one) => ({ what: "folder" as const, folder: one })));
  }, CHANGED_MS);
}

function happen(id: number, event: UploadEvent): boolean {
  const happened = queue.happen(id, event);
  if (happened) show();
  return happened;
}

// What comes in.

/** Takes files and folders into a folder; `null`: the root folder. */
export function add(
  tree: Tree<File>,
  into: { id: string | null; name: string | null },
  handles: ReadonlyMap<string, FileSystemFileHandle> = new Map(),
): void {
  const root = into.id ?? me.value?.root ?? "root";
  const batch = newBatch(new Folders(root, doorOf()));
  queueUp(tree, batch, into, (file, path) => ({
    handle: path.length === 0 ? (handles.get(file.name) ?? null) : null,
  }));
  makeEmpty(tree, batch);
}

/** Takes pictures into the folder of those, each of which gets a link when it is there. */
export function addPictures(pictures: readonly File[]): void {
  const into = { id: null, name: i18n.global.t("pictures.title") };
  const tree = treeOf(pictures.map((file) => ({ path: [], file })));
  queueUp(tree, newBatch(bed), into, () => ({ picture: true, onConflict: "keep-both" }));
}

function newBatch(folders: Batch["folders"]): Batch {
  return { folders, conflicts: newConflicts(), open: new Set() };
}

function queueUp(
  tree: Tree<File>,
  batch: Batch,
  into: { id: string | null; name: string | null },
  more: (file: File, path: readonly string[]) => Partial<Work>,
): void {
  const number = nextBatch++;
  account = me.value?.id ?? null;
  for (const { path, file } of inOrder(tree.files)) {
    const top = path[0] ?? null;
    const group = `${number}/${top ?? ""}`;
    if (!groups.has(group)) {
      groups.set(
        group,
        top === null ? { name: into.name, whole: false } : { name: top, whole: true },
      );
      if (top === null && into.id !== null && into.name === null) learnName(group, into.id);
    }
    const id = nextJob++;
    batch.open.add(id);
    works.set(id, {
      ...unbegun(),
      batch,
      path,
      file,
      lastModified: file.lastModified,
      ...more(file, path),
    });
    queue.add({
      id,
      group,
      name: nameOf(file.name),
      below: pathText(path.slice(1)),
      size: file.size,
      sent: 0,
      state: "waiting",
      problem: null,
      elsewhere: false,
    });
  }
  show();
  pump();
}

const byName = new Intl.Collator(undefined, { numeric: true });

/** As people read them; browsers give them in any order. */
function inOrder(files: Tree<File>["files"]): Tree<File>["files"] {
  const keyed = files.map((leaf) => ({ leaf, path: pathText(leaf.path) }));
  keyed.sort(
    (one, other) =>
      byName.compare(one.path, other.path) ||
      byName.compare(one.leaf.file.name, other.leaf.file.name),
  );
  return keyed.map(({ leaf }) => leaf);
}

function unbegun(): Work {
  return {
    batch: null,
    path: [],
    file: null,
    handle: null,
    parent: null,
    upload: null,
    lastModified: null,
    claimed: false,
    sha256: null,
    onConflict: "fail",
    picture: false,
    there: null,
    key: crypto.getRandomValues(new Uint32Array(4)).join("-"),
    times: 0,
    anew: 0,
    control: null,
    speed: new Speed(),
  };
}

function newKey(work: Work): void {
  work.key = unbegun().key;
}

async function learnName(group: string, folder: string): Promise<void> {
  try {
    const node = await done(api.GET("/nodes/{node}", { params: { path: { node: folder } } }));
    const known = groups.get(group);
    if (known) groups.set(group, { ...known, name: node.parent === null ? null : node.name });
  } catch {
    // Without its name it is called what it is: files.
  }
}

/** Folders that no file needs. Files make theirs when their turn comes. */
async function makeEmpty(tree: Tree<File>, batch: Batch): Promise<void> {
  const before = allCancelled;
  const needed = new Set<string>();
  for (const { path } of tree.files) {
    for (let length = path.length; length > 0; length -= 1) {
      const key = pathText(path.slice(0, length));
      if (needed.has(key)) break;
      needed.add(key);
    }
  }
  for (const path of tree.folders) {
    if (needed.has(pathText(path))) continue;
    for (let times = 0; ; times += 1) {
      if (allCancelled !== before) return;
      try {
        await batch.folders.id(path);
        break;
      } catch (error) {
        const problem = Problem.of(error);
        const pause = pauseAfter(problem.code, times, problem.body.retry_after_s);
        if (!pause) {
          sayProblem(problem);
          return;
        }
        await rest(pause.ms, null);
      }
    }
  }
}

function doorOf(): FolderDoor {
  return {
    make: async (parent, name) => {
      try {
        const made = await done(
          api.POST("/nodes/{node}/children", {
            params: { path: { node: parent } },
            body: { name },
          }),
        );
        tell(parent);
        return made.id;
      } catch (error) {
        if (Problem.of(error).code === "name-taken") return null;
        throw error;
      }
    },
    list: async (parent) => {
      const found = new Map<string, string>();
      let cursor: string | null = null;
      do {
        const page: { rows: { kind: string; name: string; id: string }[]; next: string | null } =
          await done(
            api.GET("/nodes/{node}/children", {
              params: {
                path: { node: parent },
                query: { limit: PAGE_ROWS, ...(cursor === null ? {} : { cursor }) },
              },
            }),
          );
        for (const { kind, name, id } of page.rows) if (kind === "folder") found.set(name, id);
        // Folders come first: after a file there are none.
        cursor = page.rows.some(({ kind }) => kind !== "folder") ? null : page.next;
      } while (cursor !== null);
      return found;
    },
    taken: (name) => new Problem("kind-differs", 409, `${name} is a file`),
  };
}

function newConflicts(): Conflicts {
  return new Conflicts(async (name, more) => {
    // What somebody is about is not taken away.
    await new Promise<void>((resolve) => {
      const end = watch(
        open,
        (dialog) => {
          if (dialog !== null) return;
          resolve();
          queueMicrotask(() => end());
        },
        { immediate: true, flush: "post" },
      );
    });
    return await ask("conflict", { name, folder: false, more });
  });
}

// What goes on.

function pump(): void {
  while (stopped.value === null) {
    const job = queue.next();
    if (!job) return;
    const work = works.get(job.id);
    if (!work) {
      queue.remove(job.id);
      continue;
    }
    const control = new AbortController();
    work.control = control;
    work.times = 0;
    // It runs from now on, before anything is awaited.
    happen(job.id, work.upload === null ? { what: "check" } : { what: "send", sent: job.sent });
    run(job.id, work, control.signal).finally(() => pump());
  }
}

async function run(id: number, work: Work, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    let problem: Problem;
    try {
      await attempt(id, work, signal);
      return;
    } catch (error) {
      if (signal.aborted) return;
      problem = await understood(error, work);
      if (signal.aborted) return;
    }
    if (problem.code === "name-taken" && work.onConflict === "fail") {
      if (!(await decide(id, work))) return;
      continue;
    }
    if (GONE.has(problem.code) && work.anew < ANEW_TIMES) {
      work.anew += 1;
      drop(work);
      continue;
    }
    if (problem.code === "node-not-found" && canBeMade(work) && work.anew < 1) {
      // A folder on the way was deleted meanwhile, or a picture before it had its link: it is made again.
      work.anew += 1;
      work.batch?.folders.forget();
      drop(work);
      work.parent = null;
      work.there = null;
      continue;
    }
    const pause = pauseAfter(problem.code, work.times, problem.body.retry_after_s);
    if (!pause) {
      failed(id, work, problem);
      return;
    }
    work.times += 1;
    work.speed.stop();
    if (pause.kind === "away") happen(id, { what: "away" });
    await rest(pause.ms, signal);
  }
}

/** Is the folder that it goes to made when it is not there? */
function canBeMade(work: Work): boolean {
  return work.batch !== null && (work.path.length > 0 || work.picture);
}

/** An upload is not gone on with. */
function drop(work: Work): void {
  if (work.upload !== null) forget(work.upload);
  work.upload = null;
  newKey(work);
}

/** A while, or until the browser says that it is connected again, or until nobody waits for it. */
function rest(ms: number, signal: AbortSignal | null): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      window.removeEventListener("online", end);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    window.addEventListener("online", end);
    signal?.addEventListener("abort", end);
  });
}

/** What happened: a request also breaks when its file can't be read. */
async function understood(error: unknown, work: Work): Promise<Problem> {
  const problem = Problem.of(error);
  if (problem.code !== "no-answer" || work.file === null) return problem;
  return (await isReadable(work.file)) ? problem : new Problem("file-unreadable", 0, "");
}

async function isReadable(file: File): Promise<boolean> {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

function failed(id: number, work: Work, problem: Problem): void {
  newKey(work);
  if (SIGNED_OUT.has(problem.code)) {
    // All of it has gone, and is not there: it is held back like the others.
    happen(id, { what: "check" });
    pauseAll();
    return;
  }
  happen(id, { what: "fail", problem: problem.code });
  // Every other would be refused, too.
  if (problem.code === "quota-exceeded") stopped.value = problem.code;
}

/** Asks what to do about a name that is taken. `false`: nothing more, for now. */
async function decide(id: number, work: Work): Promise<boolean> {
  const job = queue.get(id);
  if (!job || !work.batch) {
    happen(id, { what: "fail", problem: "name-taken" });
    return false;
  }
  happen(id, { what: "check" });
  const { batch } = work;
  const signal = work.control?.signal;
  const choice = await batch.conflicts.decide(
    job.name,
    () => batch.open.size - 1,
    () => signal?.aborted !== true,
  );
  if (signal?.aborted) return false;
  newKey(work);
  if (work.upload !== null) {
    // Its bytes are there under the name that is taken: the drive does not give them another.
    giveUp(work.upload).catch(() => {});
    drop(work);
  }
  if (choice === null) {
    happen(id, { what: "fail", problem: "name-taken" });
    return false;
  }
  if (choice === "skip") {
    over(id, work, { what: "skip" });
    return false;
  }
  work.onConflict = choice;
  return true;
}

/** One try, from wherever it is. */
async function attempt(id: number, work: Work, signal: AbortSignal): Promise<void> {
  work.there ??= await bring(id, work, signal);
  if (work.there === null) return;
  const { node, sent } = work.there;
  if (work.picture) {
    happen(id, { what: "finish" });
    if (node === null) {
      // Asked for with the same key, the drive says what it has become.
      work.there = null;
      throw new Problem("no-answer", 0, "the file is not there yet");
    }
    await link(node, `${work.key}-link`, signal);
  }
  over(id, work, { what: sent ? "done" : "here" });
}

/** Brings the bytes to the drive, unless it has them; `null` when nobody wants that any more. */
async function bring(id: number, work: Work, signal: AbortSignal): Promise<There | null> {
  const { file } = work;
  const job = queue.get(id);
  if (!job || file === null) return null;
  work.parent ??= (await work.batch?.folders.id(work.path)) ?? "root";
  signal.throwIfAborted();
  adopt(id, work);
  const sending: Sending = {
    parent: work.parent,
    name: job.name,
    file,
    onConflict: work.onConflict,
    key: work.key,
    signal,
    onSent: (sent) => moved(id, work, sent),
  };
  const here = work.upload === null ? await isThere(id, work, sending) : null;
  if (here !== null) return { node: here, sent: false };
  signal.throwIfAborted();
  // While the connection is away it is not said that something goes before it does.
  if (queue.get(id)?.state !== "away") {
    happen(id, { what: "send", sent: work.upload === null ? 0 : (queue.get(id)?.sent ?? 0) });
  }
  if (file.size < RESUME_MIN && work.upload === null) {
    return { node: await put(sending), sent: true };
  }
  const node = await resumable({
    ...sending,
    sha256: work.sha256,
    upload: work.upload,
    onBegun: (upload) => begun(id, work, upload),
  });
  return { node, sent: true };
}

/** The file that the drive makes if it has the bytes. It is only asked where that is less than sending them. */
async function isThere(id: number, work: Work, sending: Sending): Promise<string | null> {
  const { file, signal } = sending;
  if (file.size < ASK_MIN || file.size > HASH_MAX) return null;
  const mayAsk = performance.now() >= proofsFrom;
  if (!mayAsk && file.size < RESUME_MIN) return null;
  if (work.sha256 === null) {
    happen(id, { what: "check" });
    try {
      work.sha256 = await digestOf(file, signal);
    } catch {
      signal.throwIfAborted();
      if (!(await isReadable(file))) throw new Problem("file-unreadable", 0, "");
      // Without a digest it is sent like any other.
      return null;
    }
  }
  if (!mayAsk) return null;
  try {
    return await instant(sending, work.sha256);
  } catch (error) {
    const problem = Problem.of(error);
    if (problem.code !== "rate-limited") throw problem;
    // Sending it is always allowed.
    proofsFrom = performance.now() + (problem.body.retry_after_s ?? 1) * 1_000;
    return null;
  }
}

/** The file is one that was begun before the page was loaded: it goes on where that was. */
function adopt(id: number, work: Work): void {
  const job = queue.get(id);
  if (work.upload !== null || !work.file || !job) return;
  for (const before of lost) {
    const its = works.get(before);
    const other = queue.get(before);
    if (!its || !other || its.upload === null) continue;
    if (its.parent !== work.parent || !isSame(other, its, work.file)) continue;
    begun(id, work, its.upload);
    happen(id, { what: "send", sent: other.sent });
    discard(other.id);
    return;
  }
}

function isLike(job: Job, file: File): boolean {
  return nameOf(file.name) === job.name && file.size === job.size;
}

/** Is it the file that was begun? Of one from elsewhere its time is not known: then the drive has to have its digest. */
function isSame(job: Job, work: Work, file: File): boolean {
  const same = work.lastModified === null ? work.claimed : work.lastModified === file.lastModified;
  return same && isLike(job, file);
}

function begun(id: number, work: Work, upload: string): void {
  work.upload = upload;
  const job = queue.get(id);
  if (!job || !work.file || account === null) return;
  const kept: Remembered = {
    id: upload,
    account,
    name: job.name,
    group: groups.get(job.group)?.name ?? "",
    below: job.below,
    parent: work.parent ?? "root",
    size: job.size,
    lastModified: work.file.lastModified,
    picture: work.picture,
    handle: work.handle,
  };
  remember(kept);
}

/** So many bytes of a file have gone. */
function moved(id: number, work: Work, sent: number): void {
  const job = queue.get(id);
  if (!job) return;
  const now = performance.now();
  const bytes = Math.max(0, sent - job.sent);
  // What was there before it went on was not sent now.
  if (job.state === "sending" && work.times === 0) {
    work.speed.add(now, bytes);
    speed.add(now, bytes);
  }
  if (bytes > 0) work.times = 0;
  if (sent >= job.size && job.size > 0) happen(id, { what: "finish" });
  else happen(id, { what: "send", sent });
}

/** Nothing more is to be done about it. */
function over(id: number, work: Work, event: UploadEvent): void {
  happen(id, event);
  work.batch?.open.delete(id);
  if (event.what !== "skip" && work.parent !== null) tell(work.parent);
  if (work.upload !== null) forget(work.upload);
  work.upload = null;
  // A thousand files need not stay in hand.
  if (event.what !== "skip") works.delete(id);
}

// What somebody does.

export function pause(id: number): void {
  if (!happen(id, { what: "pause" })) return;
  const work = works.get(id);
  work?.speed.stop();
  work?.control?.abort();
}

/** Goes on with what is paused, has failed or was left out. */
export function resume(id: number): void {
  const job = queue.get(id);
  const work = works.get(id);
  if (!job || !work?.file || job.state === "lost") return;
  if (job.state === "skipped" || job.problem === "name-taken") {
    // An answer for all that followed does not answer this again.
    if (work.batch) work.batch.conflicts = newConflicts();
    work.onConflict = "fail";
    work.batch?.open.add(id);
  }
  if (job.problem === "quota-exceeded") stopped.value = null;
  happen(id, { what: "go" });
  pump();
}

export function pauseAll(): void {
  for (const job of queue.all()) if (canPause(job.state)) pause(job.id);
}

export function resumeAll(): void {
  stopped.value = null;
  for (const job of queue.all()) if (job.state === "paused") resume(job.id);
  pump();
}

export function retryAll(): void {
  stopped.value = null;
  for (const job of queue.all()) if (job.state === "failed") resume(job.id);
  pump();
}

function discard(id: number): void {
  const work = works.get(id);
  work?.batch?.open.delete(id);
  work?.control?.abort();
  works.delete(id);
  lost.delete(id);
  queue.remove(id);
  show();
}

/** Takes a file out of the list. What of it is on the drive already, and is no file yet, is given up. */
export function cancel(id: number): void {
  const upload = works.get(id)?.upload ?? null;
  discard(id);
  if (upload !== null) endUpload(upload);
  pump();
}

export function cancelAll(): void {
  allCancelled += 1;
  // None begins because one before it is gone.
  const uploads = queue.all().map(({ id }) => works.get(id)?.upload ?? null);
  for (const job of queue.all()) discard(job.id);
  for (const upload of uploads) if (upload !== null) endUpload(upload);
  stopped.value = null;
  groups.clear();
}

/** Takes those that are through out of the list. */
export function clear(): void {
  for (const job of queue.all()) if (isOver(job.state)) discard(job.id);
}

async function endUpload(upload: string): Promise<void> {
  await forget(upload);
  for (let times = 0; ; times += 1) {
    try {
      await giveUp(upload);
      return;
    } catch (error) {
      const problem = Problem.of(error);
      if (GONE.has(problem.code)) return;
      const pause = pauseAfter(problem.code, times, problem.body.retry_after_s);
      if (!pause) {
        sayProblem(problem);
        return;
      }
      await rest(pause.ms, null);
    }
  }
}

/** The file of an upload that was begun before. `false` when it is another. */
export function giveFile(id: number, file: File): boolean {
  const job = queue.get(id);
  const work = works.get(id);
  if (job?.state !== "lost" || !work || !isLike(job, file)) return false;
  const same = isSame(job, work, file);
  if (!same && work.lastModified !== null) return false;
  work.file = file;
  lost.delete(id);
  if (work.upload !== null) {
    if (same) begun(id, work, work.upload);
    else {
      // It may have changed since another browser began it, and nobody would notice: from its beginning, then.
      // The new one begins when the place of the old one is free.
      endUpload(work.upload).finally(() => {
        if (queue.get(id)?.state !== "lost") return;
        happen(id, { what: "go" });
        pump();
      });
      drop(work);
      return true;
    }
  }
  happen(id, { what: "go" });
  pump();
  return true;
}

/** Does the browser know where the file is? */
export function hasHandle(id: number): boolean {
  return works.get(id)?.handle != null;
}

interface Permitted {
  requestPermission?: (wanted: { mode: "read" }) => Promise<string>;
}

/** Opens the file again where it was. `false` when that is not allowed, or when it is another now. */
export async function reopen(id: number): Promise<boolean> {
  const handle = works.get(id)?.handle;
  if (!handle) return false;
  try {
    const granted = await (handle as Permitted).requestPermission?.({ mode: "read" });
    return granted === "granted" && giveFile(id, await handle.getFile());
  } catch {
    // It is not there any more.
    return false;
  }
}

// What was before.

const others =
  typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("cairn-uploads");
const theirs = new Set<string>();

others?.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
  if (data === "whose") {
    const mine = [...works.values()].filter((work) => work.upload !== null && work.file !== null);
    others.postMessage(mine.map((work) => work.upload));
  } else if (Array.isArray(data)) {
    for (const id of data) theirs.add(String(id));
  }
});

/** Shows uploads that were begun before the page was loaded, or elsewhere. Once for each account. */
export async function restore(): Promise<void> {
  const who = me.value?.id ?? null;
  if (who === null || restored === who) return;
  if (account !== null && account !== who) letGo();
  account = who;
  restored = who;
  others?.postMessage("whose");
  const waited = new Promise((resolve) => setTimeout(resolve, OTHERS_MS));
  let list: {
    id: string;
    name: string;
    parent: string;
    length: number | null;
    offset: number;
    sha256: string | null;
  }[];
  try {
    list = (await done(api.GET("/uploads"))).rows;
  } catch {
    // They are shown the next time.
    restored = null;
    return;
  }
  await waited;
  const known = new Map((await remembered(who)).map((upload) => [upload.id, upload]));
  if (account !== who) return;
  const going = new Set([...works.values()].map((work) => work.upload));
  const onDrive = new Set(list.map(({ id }) => id));
  for (const id of known.keys()) if (!onDrive.has(id) && !going.has(id)) forget(id);
  for (const { id: upload, name, parent, length, offset, sha256 } of list) {
    if (going.has(upload) || theirs.has(upload) || length === null) continue;
    const kept = known.get(upload);
    const group = kept ? "before" : "elsewhere";
    groups.set(group, { name: null, whole: false });
    const id = nextJob++;
    const folders = kept?.picture
      ? bed
      : { id: () => Promise.resolve(parent), forget: () => undefined };
    works.set(id, {
      ...unbegun(),
      batch: newBatch(folders),
      claimed: sha256 !== null,
      handle: kept?.handle ?? null,
      parent,
      upload,
      lastModified: kept?.lastModified ?? null,
      ...(kept?.picture ? { picture: true, onConflict: "keep-both" as const } : {}),
    });
    queue.add({
      id,
      group,
      name,
      below: kept ? [kept.group, kept.below].filter((part) => part !== "").join("/") : "",
      size: length,
      sent: offset,
      state: "lost",
      problem: null,
      elsewhere: !kept,
    });
    lost.add(id);
  }
  show();
}

/** Somebody else has signed in: what was another's is let go, and stays where it is. */
function letGo(): void {
  for (const job of queue.all()) discard(job.id);
  groups.clear();
  stopped.value = null;
}

watch(me, (now) => {
  // Signed out: nothing more is sent in somebody's name.
  if (now === null) pauseAll();
});
