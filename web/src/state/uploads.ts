/** Uploads: how files come in. What becomes of them is in `upload-run.ts`, which is loaded when there is something. */
import { ref } from "vue";
import { nameOf, type Tree, treeOf, treeOfEntries, treeOfPicked } from "@/domain/upload-tree";
import { i18n } from "@/i18n";
import { say } from "./toasts";
import { sayUnloaded } from "./version";

/** The folder that the screen shows: where files go that are picked or dropped. Its name is not known before it is read. `null`: the root folder. */
export const target = ref<Target | null>(null);

interface Target {
  id: string;
  name: string | null;
}

type Handles = ReadonlyMap<string, FileSystemFileHandle>;

/** Lets somebody pick files, or a folder, for a folder: the one that the screen shows, unless one is given. */
export function pickFiles(folder?: string, whole: "files" | "folder" = "files"): void {
  const into = intoOf(folder ?? target.value?.id ?? null);
  choose(whole, (files) => {
    if (files.length > 0) take(treeOfPicked(files), into);
    else say(i18n.global.t("upload.nothing"));
  });
}

/** Lets somebody choose files. */
export function choose(
  whole: "file" | "files" | "folder",
  chosen: (files: readonly File[]) => void,
): void {
  const input = document.createElement("input");
  input.type = "file";
  input.multiple = whole === "files";
  input.webkitdirectory = whole === "folder";
  input.hidden = true;
  const end = (): void => input.remove();
  input.addEventListener("change", () => {
    chosen([...(input.files ?? [])]);
    end();
  });
  input.addEventListener("cancel", end);
  // Some browsers forget an input that is not part of the page.
  document.body.append(input);
  input.click();
}

/** Takes what was dropped, files and whole folders, into a folder. */
export function dropInto(folder: string | null, dropped: DataTransfer): void {
  const into = intoOf(folder);
  // All of it has to be asked for before anything is waited for: then it is gone.
  const items = [...dropped.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const handles = handlesOf(items);
  const loose = entries.length === 0 ? [...dropped.files] : [];
  bring(entries, loose, handles, into);
}

async function bring(
  entries: readonly FileSystemEntry[],
  loose: readonly File[],
  handles: Promise<Handles>,
  into: Into,
): Promise<void> {
  try {
    const tree = entries.length > 0 ? await treeOfEntries(entries) : treeOfPicked(loose);
    if (tree.files.length + tree.folders.length > 0) await take(tree, into, await handles);
  } catch {
    say(i18n.global.t("upload.unreadable-drop"));
  }
}

/** Takes what was pasted. A picture that has no name of its own is called after the time. */
export function paste(pasted: DataTransfer): boolean {
  const files = [...pasted.files];
  if (files.length === 0) return false;
  const time = new Date().toLocaleString("sv-SE").replaceAll(":", ".");
  const named = files.map((file, at) => {
    if (!/^image\.\w+$/.test(file.name)) return file;
    const number = files.length > 1 ? ` ${at + 1}` : "";
    const name = `${i18n.global.t("upload.pasted", { time })}${number}${file.name.slice(5)}`;
    return new File([file], nameOf(name), { type: file.type, lastModified: file.lastModified });
  });
  take(treeOf(named.map((file) => ({ path: [], file }))), intoOf(target.value?.id ?? null));
  return true;
}

interface Into {
  id: string | null;
  name: string | null;
}

function intoOf(folder: string | null): Into {
  return { id: folder, name: target.value?.id === folder ? (target.value?.name ?? null) : null };
}

async function take(tree: Tree<File>, into: Into, handles?: Handles): Promise<void> {
  try {
    const { add } = await import("./upload-run");
    add(tree, into, handles);
  } catch (error) {
    void sayUnloaded(error);
  }
}

interface Handled {
  getAsFileSystemHandle?: () => Promise<FileSystemHandle | null>;
}

/** With a handle a file can be opened again after the page was loaded anew. Not every browser gives one. */
async function handlesOf(items: readonly DataTransferItem[]): Promise<Handles> {
  const found = new Map<string, FileSystemFileHandle>();
  const asked = items.map((item) => (item as Handled).getAsFileSystemHandle?.());
  for (const answer of await Promise.allSettled(asked)) {
    const handle = answer.status === "fulfilled" ? answer.value : null;
    if (handle?.kind === "file") found.set(handle.name, handle as FileSystemFileHandle);
  }
  return found;
}
