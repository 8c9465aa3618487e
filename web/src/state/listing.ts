/** A list of nodes as a screen shows it: its rows, what is chosen and looked at in it, and how it is read again. */
import { computed, ref, shallowRef } from "vue";
import { type Node, Problem } from "@/api/client";
import { all, NOTHING, next, present, range, type Selection } from "@/domain/selection";
import { sayProblem } from "./toasts";

export type Place = "folder" | "recent" | "search" | "trash";

export interface Row extends Node {
  /** The name of the folder it is in, where a list is of many folders; none of the root folder. */
  folder?: string | null;
  /** In the trash: the entry. `id` is then the entry's, not the node's. */
  entry?: { node: string; from: string; deleted_at: string; purge_at: string };
}

export interface Source {
  place: Place;
  load: (cursor: string | null) => Promise<{ rows: Row[]; next: string | null }>;
  /** Is all of it read in the background, or page by page as somebody comes to its end? */
  whole: boolean;
  /** The folders that it is in, itself the last: of the list of a folder. */
  path?: () => Promise<Node[]>;
}

/** Where the list goes to, and whether the keyboard follows. */
export interface Reveal {
  id: string;
  focus: boolean;
}

let made = 0;

export class Listing {
  /** What tells it from other lists. */
  readonly key = made++;
  readonly rows = shallowRef<readonly Row[]>([]);
  readonly state = ref<"loading" | "ready" | "failed">("loading");
  /** Are all rows there? */
  readonly complete = ref(false);
  readonly problem = shallowRef<Problem | null>(null);
  readonly path = shallowRef<readonly Node[]>([]);
  readonly selection = shallowRef<Selection>(NOTHING);
  /** The row that the keyboard is on. */
  readonly focused = ref<string | null>(null);
  /** Is the keyboard in the list? */
  readonly active = ref(false);
  readonly renaming = ref<string | null>(null);
  readonly reveal = shallowRef<Reveal | null>(null);
  /** Where it was scrolled to when it was left. */
  offset = 0;

  readonly folder = computed<Node | null>(() => this.path.value.at(-1) ?? null);
  readonly selected = computed<Row[]>(() => {
    const { ids } = this.selection.value;
    return ids.size === 0 ? [] : this.rows.value.filter((row) => ids.has(row.id));
  });
  /** What an action is about: what is chosen, or else the row that the keyboard is on. */
  readonly subjects = computed<Row[]>(() => {
    if (this.selection.value.ids.size > 0) return this.selected.value;
    const row = this.active.value && this.focused.value ? this.row(this.focused.value) : null;
    return row ? [row] : [];
  });

  private readonly indices = computed(
    () => new Map(this.rows.value.map((row, index) => [row.id, index])),
  );
  private readonly hidden = new Set<string>();
  private releases: string[] = [];
  private awaited: Reveal | null = null;
  private cursor: string | null = null;
  private turn = 0;
  private running: Promise<void> | null = null;
  private again: Promise<void> | null = null;

  constructor(readonly source: Source) {}

  get place(): Place {
    return this.source.place;
  }

  indexOf(id: string): number {
    return this.indices.value.get(id) ?? -1;
  }

  row(id: string): Row | null {
    return this.rows.value[this.indexOf(id)] ?? null;
  }

  /** Reads it from its beginning; rows show as they come. */
  open(): Promise<void> {
    this.turn += 1;
    this.complete.value = false;
    this.problem.value = null;
    if (this.rows.value.length === 0) this.state.value = "loading";
    return this.track(this.read(this.turn, "fresh"));
  }

  /** Reads it again, because something changed; the rows stay until all new ones are there. */
  refresh(): Promise<void> {
    if (!this.running) return this.track(this.read(this.turn, "again"));
    // What is being read may be older than the change: once more when it is done, however many ask.
    this.again ??= this.running.then(() => {
      this.again = null;
      return this.track(this.read(this.turn, "again"));
    });
    return this.again;
  }

  /** The next page of a list that is read page by page. */
  more(): void {
    if (this.source.whole || this.complete.value || this.running || this.problem.value) return;
    void this.track(this.read(this.turn, "more"));
  }

  private track(reading: Promise<void>): Promise<void> {
    const running = reading.finally(() => {
      if (this.running === running) this.running = null;
    });
    this.running = running;
    return running;
  }

  private async read(turn: number, how: "fresh" | "again" | "more"): Promise<void> {
    const releasing = [...this.releases];
    // Who is overtaken shows nothing, and releases nothing: the reading that overtook it began later and does both.
    const left = (): boolean => turn !== this.turn;
    const release = (): void => {
      for (const id of releasing) this.hidden.delete(id);
      this.releases = this.releases.filter((id) => !releasing.includes(id));
    };
    const before = this.rows.value.length;
    let rows: readonly Row[] = how === "more" ? this.rows.value : [];
    let cursor = how === "more" ? this.cursor : null;
    try {
      const path = how === "more" ? undefined : this.source.path?.();
      // Its failure is seen where it is waited for.
      path?.catch(() => {});
      do {
        const page = await this.source.load(cursor);
        if (left()) return;
        rows = rows.length === 0 ? page.rows : [...rows, ...page.rows];
        cursor = page.next;
        if (how !== "again") {
          if (path && this.path.value.length === 0) this.path.value = await path;
          if (left()) return;
          this.show(rows, cursor);
        }
      } while (cursor !== null && (this.source.whole || (how === "again" && rows.length < before)));
      if (path) {
        const found = await path;
        if (left()) return;
        this.path.value = found;
      }
      release();
      this.show(rows, cursor);
      this.problem.value = null;
    } catch (error) {
      if (left()) return;
      release();
      const problem = Problem.of(error);
      if (how === "again" && problem.code !== "node-not-found") {
        sayProblem(problem);
        return;
      }
      this.problem.value = problem;
      const gone = problem.code === "node-not-found";
      if (gone) this.rows.value = [];
      if (gone || this.rows.value.length === 0) this.state.value = "failed";
    }
  }

  private show(rows: readonly Row[], cursor: string | null): void {
    const at = this.focused.value === null ? 0 : this.indexOf(this.focused.value);
    this.rows.value = this.hidden.size ? rows.filter((row) => !this.hidden.has(row.id)) : rows;
    this.cursor = cursor;
    this.complete.value = cursor === null;
    this.state.value = "ready";
    this.selection.value = present(this.selection.value, (id) => this.indexOf(id) >= 0);
    if (this.focused.value === null || this.indexOf(this.focused.value) < 0) {
      const near = Math.min(Math.max(at, 0), this.rows.value.length - 1);
      this.focused.value = this.rows.value[near]?.id ?? null;
    }
    if (this.awaited && this.indexOf(this.awaited.id) >= 0) {
      this.goTo(this.awaited);
      this.awaited = null;
    } else if (this.complete.value && !this.again) {
      this.awaited = null;
    }
  }

  choose(selection: Selection): void {
    this.selection.value = selection;
  }

  chooseAll(): void {
    this.selection.value = all(this.rows.value);
  }

  chooseTo(id: string, keep = false): void {
    const { ids, anchor } = this.selection.value;
    const from = { ids, anchor: anchor ?? this.focused.value };
    this.selection.value = range(from, this.rows.value, (one) => this.indexOf(one), id, keep);
  }

  clear(): void {
    this.selection.value = NOTHING;
  }

  /** The keyboard is on this row. */
  lookAt(id: string): void {
    this.focused.value = id;
  }

  /** The keyboard has come into the list, or left it. */
  setActive(active: boolean): void {
    this.active.value = active;
  }

  rename(id: string | null): void {
    this.renaming.value = id;
  }

  /** Where the list is to go; asked once. */
  takeReveal(): Reveal | null {
    const reveal = this.reveal.value;
    if (reveal) this.reveal.value = null;
    return reveal;
  }

  /** It is left, scrolled to here. */
  leftAt(offset: number): void {
    this.offset = offset;
    this.active.value = false;
    this.renaming.value = null;
  }

  /** Goes to a row: now, or when it has come. */
  goTo(reveal: Reveal): void {
    if (this.indexOf(reveal.id) < 0) {
      this.awaited = reveal;
      return;
    }
    this.focused.value = reveal.id;
    this.reveal.value = { ...reveal };
  }

  /** Takes rows out before the drive has said so; the next row is looked at. {@link settle} ends it. */
  hide(ids: readonly string[]): void {
    for (const id of ids) this.hidden.add(id);
    const going = (id: string): boolean => this.hidden.has(id);
    if (this.focused.value !== null && going(this.focused.value)) {
      this.focused.value = next(this.rows.value, this.indexOf(this.focused.value), going);
    }
    this.rows.value = this.rows.value.filter((row) => !going(row.id));
    this.selection.value = present(this.selection.value, (id) => !going(id));
  }

  /** The drive has answered about rows that were taken out: what is true shows when the list has been read again. */
  settle(ids: readonly string[]): void {
    this.releases.push(...ids);
  }

  /** Shows a row otherwise before the drive has said so. */
  patch(id: string, change: Partial<Row>): void {
    this.rows.value = this.rows.value.map((row) => (row.id === id ? { ...row, ...change } : row));
  }
}

/** The list on the screen, which keys are about. */
export const current = shallowRef<Listing | null>(null);
