/** The folders of an upload on the drive: each is made once, parents first; one that is there is entered. */
import { nameOf, pathText } from "./upload-tree";

/** What the drive does about folders. */
export interface FolderDoor {
  /** Makes a folder and gives its id; `null` when the name is taken. */
  make: (parent: string, name: string) => Promise<string | null>;
  /** The folders in a folder: their ids by name. */
  list: (parent: string) => Promise<ReadonlyMap<string, string>>;
  /** What is thrown when the name is that of a file. */
  taken: (name: string) => Error;
}

export class Folders {
  readonly #root: string;
  readonly #door: FolderDoor;
  readonly #made = new Map<string, Promise<string>>();
  readonly #lists = new Map<string, Promise<ReadonlyMap<string, string>>>();

  constructor(root: string, door: FolderDoor) {
    this.#root = root;
    this.#door = door;
  }

  /** The id of a folder. Whoever asks for it meanwhile gets the same; what failed is tried again when it is asked for. */
  id(path: readonly string[]): Promise<string> {
    if (path.length === 0) return Promise.resolve(this.#root);
    const key = pathText(path);
    const known = this.#made.get(key);
    if (known) return known;
    const made = this.#enter(path);
    this.#made.set(key, made);
    made.catch(() => this.#made.delete(key));
    return made;
  }

  /** Forgets what is known: a folder went away. */
  forget(): void {
    this.#made.clear();
    this.#lists.clear();
  }

  async #enter(path: readonly string[]): Promise<string> {
    const parent = await this.id(path.slice(0, -1));
    const name = nameOf(path[path.length - 1] ?? "");
    // Where one name was taken others will be: then the list, read once, is asked first.
    const there = (await this.#lists.get(parent))?.get(name);
    if (there !== undefined) return there;
    const made = await this.#door.make(parent, name);
    if (made !== null) return made;
    const listed = this.#list(parent);
    const found = (await listed).get(name);
    if (found !== undefined) return found;
    // The list may be older than the name.
    this.#lists.delete(parent);
    const again = (await this.#list(parent)).get(name);
    if (again === undefined) throw this.#door.taken(name);
    return again;
  }

  #list(parent: string): Promise<ReadonlyMap<string, string>> {
    const known = this.#lists.get(parent);
    if (known) return known;
    const listed = this.#door.list(parent);
    this.#lists.set(parent, listed);
    listed.catch(() => this.#lists.delete(parent));
    return listed;
  }
}
