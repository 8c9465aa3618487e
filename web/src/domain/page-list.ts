/** A list that comes in pages, read as far as somebody looks. The same page is never asked for twice at a time. */

export interface PageOf<Row, Cursor> {
  rows: Row[];
  /** Where the next page begins; none after the last. */
  next: Cursor | null;
}

export class PageList<Row, Cursor> {
  rows: Row[] = [];
  /** `idle` before the first page was asked for. */
  state: "idle" | "loading" | "ready" | "failed" = "idle";
  error: unknown = null;
  ended = false;
  private next: Cursor | null = null;
  /** What an older reading brings is thrown away. */
  private reading = 0;

  constructor(private readonly fetch: (cursor: Cursor | null) => Promise<PageOf<Row, Cursor>>) {}

  /** Reads it from its beginning. What is shown stays until the answer is there. */
  async again(): Promise<void> {
    await this.read(null);
  }

  /** Reads on. */
  async more(): Promise<void> {
    if (this.state === "loading" || this.ended) return;
    await this.read(this.next);
  }

  private async read(cursor: Cursor | null): Promise<void> {
    this.reading += 1;
    const mine = this.reading;
    this.state = "loading";
    this.error = null;
    try {
      const page = await this.fetch(cursor);
      if (mine !== this.reading) return;
      this.rows = cursor === null ? page.rows : [...this.rows, ...page.rows];
      this.next = page.next;
      this.ended = page.next === null;
      this.state = "ready";
    } catch (error) {
      if (mine !== this.reading) return;
      this.error = error;
      this.state = "failed";
    }
  }
}
