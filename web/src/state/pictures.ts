/**
 * The picture bed: pictures are uploaded like all files (`upload-run.ts`), into one folder, and each gets a link that shows
 * it in any page.
 */
import { shallowRef } from "vue";
import { api, done, type Node, type Schemas, type Share } from "@/api/client";
import { FOLDER_NAMES, linkable, pictureFolder } from "@/domain/pictures";
import { i18n } from "@/i18n";
import { changed } from "./changes";
import { me } from "./session";
import { settings } from "./settings";
import { say, sayProblem } from "./toasts";

/** Rows of a page of a folder, as many as the drive gives. */
const PAGE_ROWS = 1_000;

/** The links that were made since the page was opened, the newest last. */
export const made = shallowRef<readonly Share[]>([]);
/** While the others are told of a link that was made. */
export const telling = shallowRef(false);

/** Takes the pictures among files. Says which of them are none. */
export async function take(files: Iterable<File>): Promise<void> {
  const pictures: File[] = [];
  const refused: string[] = [];
  for (const file of files) {
    const name = linkable(file.name, file.type);
    if (name === null) refused.push(file.name);
    else pictures.push(name === file.name ? file : renamed(file, name));
  }
  const [first] = refused;
  if (first !== undefined) {
    const words = { name: first, more: refused.length - 1 };
    say(i18n.global.t("pictures.refused", words, refused.length));
  }
  if (pictures.length === 0) return;
  try {
    const { addPictures } = await import("./upload-run");
    addPictures(pictures);
  } catch (error) {
    sayProblem(error);
  }
}

function renamed(file: File, name: string): File {
  return new File([file], name, { type: file.type, lastModified: file.lastModified });
}

/** The folder that they go to, of whoever is signed in: made when it is needed. */
export const bed = {
  known: null as { account: string | null; folder: Promise<string> } | null,

  id(): Promise<string> {
    const account = me.value?.id ?? null;
    if (this.known?.account !== account) {
      const known = { account, folder: find() };
      this.known = known;
      // What failed is tried again when it is asked for.
      known.folder.catch(() => {
        if (this.known === known) this.forget();
      });
    }
    return this.known.folder;
  },

  /** It is not there any more. */
  forget(): void {
    this.known = null;
  },
};

async function find(): Promise<string> {
  const there = await bedThere();
  if (there) return there.id;
  const name = FOLDER_NAMES[settings.locale];
  // A file may be called so.
  const body = { name, on_conflict: "keep-both" as const };
  const path = { node: "root" };
  return (await done(api.POST("/nodes/{node}/children", { params: { path }, body }))).id;
}

/** The folder, if there is one. Its name is in the language in which it was made. */
export async function bedThere(): Promise<Node | null> {
  const folders: Node[] = [];
  let cursor: string | null = null;
  do {
    const query = { limit: PAGE_ROWS, ...(cursor === null ? {} : { cursor }) };
    const path = { node: "root" };
    const page: Schemas["Page_Node"] = await done(
      api.GET("/nodes/{node}/children", { params: { path, query } }),
    );
    folders.push(...page.rows);
    // Folders come first.
    cursor = page.rows.at(-1)?.kind === "folder" ? page.next : null;
  } while (cursor !== null);
  return pictureFolder(folders);
}

/** Makes the link of a picture that is on the drive; `key` tells a request that is sent again from a new one. */
export async function link(node: string, key: string, signal: AbortSignal): Promise<void> {
  const share = await done(
    api.POST("/nodes/{node}/shares", {
      params: { path: { node }, header: { "Idempotency-Key": key } },
      body: { kind: "picture", expires_at: null },
      signal,
    }),
  );
  made.value = [...made.value, share];
  telling.value = true;
  changed({ what: "shares" }, { what: "usage" });
  telling.value = false;
}
