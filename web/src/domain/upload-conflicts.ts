/** What is done about names that are taken. */

export type Choice = "keep-both" | "replace" | "skip";

/** What somebody answers: `all` for those that follow. */
export interface Answer {
  choice: Choice;
  all: boolean;
}

/** Asks about one name at a time; an answer for all that follow is not asked for again. */
export class Conflicts {
  readonly #ask: (name: string, more: number) => Promise<Answer | null>;
  #standing: Choice | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(ask: (name: string, more: number) => Promise<Answer | null>) {
    this.#ask = ask;
  }

  /** The choice about a name; `null` when the question was left, or when it is not `wanted` any more at its turn. */
  decide(name: string, more: () => number, wanted: () => boolean): Promise<Choice | null> {
    const turn = this.#turn.then(async () => {
      if (this.#standing !== null) return this.#standing;
      if (!wanted()) return null;
      const answer = await this.#ask(name, more());
      if (answer?.all) this.#standing = answer.choice;
      return answer?.choice ?? null;
    });
    // Whoever is next waits for the answer, whatever comes of it.
    this.#turn = turn.catch(() => {});
    return turn;
  }
}
