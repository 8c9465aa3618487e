/** Moving and copying: one node after the other, asking about names that are taken, and telling what came of it. */
import { api, done, type Node, type OnConflict, Problem } from "@/api/client";
import { i18n } from "@/i18n";
import { changed } from "@/state/changes";
import { ask } from "@/state/dialogs";
import type { Listing, Row } from "@/state/listing";
import { say, sayProblem } from "@/state/toasts";

/** A folder that things come into. */
export interface Destination {
  id: string;
  name: string;
}

type Choice = Exclude<OnConflict, "fail"> | "skip";

interface Moved {
  node: Row;
  /** As it is now. */
  now: Node;
  replaced: boolean;
}

async function place(
  how: "move" | "copy",
  node: Row,
  parent: string,
  on_conflict: OnConflict,
): Promise<Node> {
  const params = { path: { node: node.id } };
  const body = { parent, on_conflict };
  return how === "move"
    ? await done(api.PATCH("/nodes/{node}", { params, body }))
    : await done(api.POST("/nodes/{node}/copies", { params, body }));
}

/** Moves or copies nodes into a folder. `listing` is the list that shows them. */
export async function transfer(
  how: "move" | "copy",
  given: readonly Row[],
  to: Destination,
  listing: Listing | null,
): Promise<void> {
  const nodes = how === "move" ? given.filter((node) => node.parent !== to.id) : given;
  if (nodes.length === 0) return;
  // What is moved to another folder leaves the list of its own at once.
  const leaves = how === "move" && listing?.place === "folder";
  const ids = nodes.map((node) => node.id);
  if (leaves) listing.hide(ids);
  const moved: Moved[] = [];
  let forAll: Choice | null = null;
  try {
    for (const [at, node] of nodes.entries()) {
      // A copy beside its original is another one, whatever was chosen.
      const same = node.parent === to.id;
      const first: OnConflict = same ? "keep-both" : forAll && forAll !== "skip" ? forAll : "fail";
      try {
        const now = await place(how, node, to.id, first);
        moved.push({ node, now, replaced: first === "replace" });
      } catch (error) {
        if (Problem.of(error).code !== "name-taken" || first !== "fail") throw error;
        if (forAll === "skip") continue;
        const answer = await ask("conflict", {
          name: node.name,
          folder: node.kind === "folder",
          more: nodes.length - at - 1,
        });
        if (!answer) break;
        if (answer.all) forAll = answer.choice;
        if (answer.choice === "skip") continue;
        const now = await place(how, node, to.id, answer.choice);
        moved.push({ node, now, replaced: answer.choice === "replace" });
      }
    }
  } catch (error) {
    sayProblem(error);
  }
  if (leaves) listing.settle(ids);
  tell(how, moved, to);
  const folders = new Set([to.id, ...nodes.map((node) => node.parent)]);
  changed(...[...folders].map((folder) => ({ what: "folder" as const, folder })));
  if (moved.some((each) => each.replaced)) changed({ what: "trash" });
  const last = moved.at(-1);
  if (last && listing?.folder.value?.id === to.id) listing.goTo({ id: last.now.id, focus: true });
}

function tell(how: "move" | "copy", moved: readonly Moved[], to: Destination): void {
  const first = moved[0];
  if (!first) return;
  const { t } = i18n.global;
  const words = { name: first.node.name, count: moved.length, folder: to.name };
  const text = t(`actions.done.${how}`, words, moved.length);
  // What was replaced is in the trash: taking its successor away would leave neither.
  if (moved.some((each) => each.replaced)) {
    say(text);
    return;
  }
  say(text, {
    label: t("common.undo"),
    run: () => void (how === "move" ? moveBack(moved) : removeCopies(moved)),
  });
}

async function moveBack(moved: readonly Moved[]): Promise<void> {
  for (const { node, now } of moved) {
    try {
      if (!node.parent) continue;
      // Under its own name, if it got another one because that was taken.
      const body = { parent: node.parent, name: node.name, on_conflict: "keep-both" as const };
      await done(api.PATCH("/nodes/{node}", { params: { path: { node: now.id } }, body }));
    } catch (error) {
      sayProblem(error);
      break;
    }
  }
  changed({ what: "folder", folder: null });
}

async function removeCopies(moved: readonly Moved[]): Promise<void> {
  for (const { now } of moved) {
    try {
      await done(api.DELETE("/nodes/{node}", { params: { path: { node: now.id } } }));
    } catch (error) {
      sayProblem(error);
      break;
    }
  }
  changed({ what: "folder", folder: null }, { what: "trash" });
}
