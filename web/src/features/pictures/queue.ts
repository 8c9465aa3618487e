/** Pictures on their way to become links. It goes on while other screens are shown. */
import { reactive, shallowRef } from "vue";
import {
  api,
  BASE,
  done,
  type Node,
  noticed,
  Problem,
  type Schemas,
  type Share,
} from "@/api/client";
import { linkable } from "@/domain/pictures";
import { i18n } from "@/i18n";
import { changed } from "@/state/changes";
import { say, words } from "@/state/toasts";

export interface Coming {
  id: number;
  file: File;
  name: string;
  state: "waiting" | "going" | "failed";
  why: string;
  /** It is stored; only its link was not made. */
  node: string | null;
}

/** Pictures sent at a time. */
const AT_ONCE = 3;
/** How long the drive may take to apply what it has accepted, milliseconds. */
const APPLIED_MS = 60_000;
const ASK_PAUSE_MS = 500;

export const coming = reactive<Coming[]>([]);
/** The links that were made since the page was opened, the newest last. */
export const made = shallowRef<readonly Share[]>([]);
/** While the others are told of a link that was made. */
export const telling = shallowRef(false);
let next = 0;
let going = 0;
let folder: Promise<string> | null = null;

/** Takes the pictures among files. Says which of them are none. */
export function take(files: Iterable<File>): void {
  const refused = [];
  for (const file of files) {
    const name = linkable(file.name, file.type);
    if (name) coming.push({ id: next++, file, name, state: "waiting", why: "", node: null });
    else refused.push(file.name);
  }
  if (refused.length > 0) {
    say(
      i18n.global.t(
        "pictures.refused",
        { name: refused[0] ?? "", more: refused.length - 1 },
        refused.length,
      ),
    );
  }
  start();
}

export function again(one: Coming): void {
  one.state = "waiting";
  start();
}

export function giveUp(one: Coming): void {
  const at = coming.indexOf(one);
  if (at >= 0) coming.splice(at, 1);
}

function start(): void {
  while (going < AT_ONCE) {
    const one = coming.find((each) => each.state === "waiting");
    if (!one) return;
    one.state = "going";
    going += 1;
    send(one).finally(() => {
      going -= 1;
      start();
    });
  }
}

async function send(one: Coming): Promise<void> {
  try {
    const parent = await bed();
    one.node ??= await put(parent, one);
    const share = await done(
      api.POST("/nodes/{node}/shares", {
        params: { path: { node: one.node } },
        body: { kind: "picture", expires_at: null },
      }),
    );
    giveUp(one);
    made.value = [...made.value, share];
    telling.value = true;
    changed({ what: "folder", folder: parent }, { what: "shares" }, { what: "usage" });
    telling.value = false;
  } catch (error) {
    // It may have been deleted meanwhile: the next one makes it again.
    folder = null;
    if (Problem.of(error).code === "node-not-found") one.node = null;
    one.state = "failed";
    one.why = words(error);
  }
}

/** Sends the file as it is on the disk; the browser reads it part by part. */
async function put(parent: string, one: Coming): Promise<string> {
  const path = `/nodes/${encodeURIComponent(parent)}/files/${encodeURIComponent(one.name)}`;
  let answer: Response;
  try {
    answer = await fetch(`${BASE}${path}?on_conflict=keep-both`, {
      method: "PUT",
      body: one.file,
      headers: { "content-type": "application/octet-stream" },
    });
  } catch (error) {
    throw Problem.of(error);
  }
  if (!answer.ok) throw noticed(await Problem.from(answer));
  if (answer.status !== 202) return ((await answer.json()) as Node).id;
  const record = (await answer.json()) as Schemas["Record"];
  return await applied(record.key);
}

/** What came of something that was accepted for later. */
async function applied(key: string): Promise<string> {
  const end = Date.now() + APPLIED_MS;
  while (Date.now() < end) {
    const record = await done(api.GET("/records/{key}", { params: { path: { key } } }));
    if (record.state === "applied" && record.node) return record.node;
    if (record.state === "refused")
      throw new Problem(record.problem ?? "unreadable", 409, "refused");
    await new Promise((resolve) => setTimeout(resolve, ASK_PAUSE_MS));
  }
  throw new Problem("no-answer", 0, "it was not applied in time");
}

/** The folder that they go to, made when it is needed. */
function bed(): Promise<string> {
  folder ??= find();
  return folder;
}

async function find(): Promise<string> {
  const name = i18n.global.t("pictures.folder");
  const root = { params: { path: { node: "root" } } } as const;
  try {
    return (await done(api.POST("/nodes/{node}/children", { ...root, body: { name } }))).id;
  } catch (error) {
    if (Problem.of(error).code !== "name-taken") throw error;
  }
  // Folders come first, by name.
  let cursor: string | null = null;
  do {
    const query: { limit: number; cursor?: string } = {
      limit: 1000,
      ...(cursor ? { cursor } : {}),
    };
    const page: Schemas["Page_Node"] = await done(
      api.GET("/nodes/{node}/children", { params: { ...root.params, query } }),
    );
    const found = page.rows.find((row) => row.kind === "folder" && row.name === name);
    if (found) return found.id;
    cursor = page.rows.at(-1)?.kind === "folder" ? page.next : null;
  } while (cursor);
  // A file is called so.
  const body = { name, on_conflict: "keep-both" as const };
  return (await done(api.POST("/nodes/{node}/children", { ...root, body }))).id;
}

// Closing the page would lose what is on its way.
window.addEventListener("beforeunload", (event) => {
  if (coming.some((one) => one.state !== "failed")) event.preventDefault();
});
