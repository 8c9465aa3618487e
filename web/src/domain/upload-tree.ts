/** What is dropped or picked: files, and the folders they lie in. */

/** A file, and the names of the folders above it, the outermost first. */
export interface Leaf<F> {
  path: readonly string[];
  file: F;
}

export interface Tree<F> {
  /** Every folder once, parents before what is in them; empty ones, too. */
  folders: readonly (readonly string[])[];
  files: readonly Leaf<F>[];
}

/** Folders in folders at most; what is deeper is not walked into. The drive has a limit of its own. */
const DEPTH_MAX = 256;

/** Blanks around a name, which the drive leaves out; not ends of lines, for which it refuses a name. */
const AROUND =
  /^[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+|[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+$/g;

/** A name as the drive keeps it: macOS gives accents apart from their letters. */
export function nameOf(name: string): string {
  return name.normalize("NFC").replace(AROUND, "");
}

/** Names of a path as one text. A name has no slash in it. */
export function pathText(path: readonly string[]): string {
  return path.join("/");
}

/** Files with the folders that they need, and folders that are there anyway. */
export function treeOf<F>(
  files: readonly Leaf<F>[],
  folders: readonly (readonly string[])[] = [],
): Tree<F> {
  const known = new Map<string, readonly string[]>();
  const add = (path: readonly string[]): void => {
    for (let length = path.length; length > 0; length -= 1) {
      const above = path.slice(0, length);
      const key = pathText(above);
      // Where one is known those above it are.
      if (known.has(key)) return;
      known.set(key, above);
    }
  };
  const named = files.map(({ path, file }) => ({ path: path.map(nameOf), file }));
  for (const path of folders) add(path.map(nameOf));
  for (const { path } of named) add(path);
  // Parents have fewer names; the order among equals stays.
  const sorted = [...known.values()].sort((one, other) => one.length - other.length);
  return { folders: sorted, files: named };
}

/** What a picker gives: with a folder, each file says its way from it. */
export function treeOfPicked<F extends { name: string; webkitRelativePath?: string }>(
  files: readonly F[],
): Tree<F> {
  return treeOf(
    files.map((file) => {
      const names = (file.webkitRelativePath ?? "").split("/").filter((name) => name !== "");
      return { path: names.slice(0, -1), file };
    }),
  );
}

/** Walks through what was dropped. A folder gives its entries in portions, until one is empty. */
export async function treeOfEntries(entries: readonly FileSystemEntry[]): Promise<Tree<File>> {
  const files: Leaf<File>[] = [];
  const folders: string[][] = [];
  const open: { entry: FileSystemEntry; path: readonly string[] }[] = entries.map((entry) => ({
    entry,
    path: [],
  }));
  // One after the other, without recursion: a tree may be deep, and wide.
  for (let at = 0; at < open.length; at += 1) {
    const { entry, path } = open[at] as (typeof open)[number];
    if (entry.isFile) {
      files.push({ path, file: await fileOf(entry as FileSystemFileEntry) });
    } else if (entry.isDirectory) {
      const here = [...path, entry.name];
      folders.push(here);
      if (here.length >= DEPTH_MAX) continue;
      for (const inside of await entriesOf(entry as FileSystemDirectoryEntry)) {
        open.push({ entry: inside, path: here });
      }
    }
  }
  return treeOf(files, folders);
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

async function entriesOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const portion = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (portion.length === 0) return all;
    all.push(...portion);
  }
}
