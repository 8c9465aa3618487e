/** What can be done with entries of the trash. */
import { FolderInput, RotateCcw, Trash2 } from "@lucide/vue";
import { api, done } from "@/api/client";
import { pooled } from "@/domain/pool";
import { i18n } from "@/i18n";
import { changed } from "@/state/changes";
import { ask } from "@/state/dialogs";
import type { Listing, Row } from "@/state/listing";
import { isGone } from "@/state/origins";
import { say, sayProblem } from "@/state/toasts";
import type { Action } from "./action";
import { type Context, live } from "./context";
import { AT_ONCE } from "./trash";

function inTrash(context: Context): boolean {
  return !live(context) && context.place === "trash" && context.nodes.length > 0;
}

export const restore: Action = {
  id: "restore",
  label: "actions.restore",
  icon: RotateCcw,
  keys: ["Enter"],
  group: "trash",
  bar: true,
  when: inTrash,
  run: async (context) => {
    // Entries whose folder is gone have to go elsewhere.
    if (context.nodes.some((row) => row.entry && isGone(row.entry.from))) {
      await restoreTo.run(context);
    } else {
      await putBack(context.nodes, undefined, context.listing);
    }
  },
};

export const restoreTo: Action = {
  id: "restore-to",
  label: "actions.restore-to",
  icon: FolderInput,
  group: "trash",
  bar: true,
  when: inTrash,
  run: async ({ nodes, listing }) => {
    const { t } = i18n.global;
    const words = { name: nodes[0]?.name ?? "", count: nodes.length };
    const to = await ask("folder", {
      title: t("actions.restore-title", words, nodes.length),
      action: t("actions.restore-here"),
      without: [],
    });
    if (to) await putBack(nodes, to.id, listing);
  },
};

export const purge: Action = {
  id: "purge",
  label: "actions.purge",
  icon: Trash2,
  keys: ["Delete"],
  group: "remove",
  bar: true,
  danger: true,
  when: inTrash,
  run: async ({ nodes, listing }) => {
    const { t } = i18n.global;
    const words = { name: nodes[0]?.name ?? "", count: nodes.length };
    const sure = await ask("confirm", {
      title: t("actions.purge-title", words, nodes.length),
      text: t("actions.purge-text"),
      action: t("actions.purge"),
      danger: true,
    });
    if (!sure) return;
    const ids = nodes.map((row) => row.id);
    listing?.hide(ids);
    const { done: gone, failed } = await pooled(nodes, AT_ONCE, (row) =>
      done(api.DELETE("/trash/{entry}", { params: { path: { entry: row.id } } })),
    );
    listing?.settle(ids);
    const first = gone[0]?.item;
    if (first) {
      say(t("actions.done.purge", { name: first.name, count: gone.length }, gone.length));
    }
    if (failed[0]) sayProblem(failed[0].error);
    changed({ what: "trash" }, { what: "usage" });
  },
};

export const emptyTrash: Action = {
  id: "empty-trash",
  label: "actions.empty-trash",
  icon: Trash2,
  group: "remove",
  danger: true,
  when: ({ place, nodes, listing }) =>
    place === "trash" && nodes.length === 0 && (listing?.rows.value.length ?? 0) > 0,
  run: async () => {
    const { t } = i18n.global;
    const sure = await ask("confirm", {
      title: t("actions.empty-trash-title"),
      text: t("actions.empty-trash-text"),
      action: t("actions.empty-trash"),
      danger: true,
    });
    if (!sure) return;
    try {
      await done(api.DELETE("/trash"));
      say(t("actions.done.empty-trash"));
    } catch (error) {
      sayProblem(error);
    }
    changed({ what: "trash" }, { what: "usage" });
  },
};

async function putBack(
  rows: readonly Row[],
  parent: string | undefined,
  listing: Listing | null,
): Promise<void> {
  const { t } = i18n.global;
  const ids = rows.map((row) => row.id);
  listing?.hide(ids);
  const { done: back, failed } = await pooled(rows, AT_ONCE, (row) =>
    done(
      api.POST("/trash/{entry}/restore", {
        params: { path: { entry: row.id } },
        body: parent === undefined ? {} : { parent },
      }),
    ),
  );
  listing?.settle(ids);
  const first = back[0]?.item;
  if (first) {
    say(t("actions.done.restore", { name: first.name, count: back.length }, back.length), {
      label: t("common.undo"),
      run: () => void discard(back.map(({ result }) => result.id)),
    });
  }
  if (failed[0]) sayProblem(failed[0].error);
  changed({ what: "trash" }, { what: "folder", folder: null });
}

/** Into the trash again. */
async function discard(nodes: readonly string[]): Promise<void> {
  const { failed } = await pooled(nodes, AT_ONCE, (node) =>
    done(api.DELETE("/nodes/{node}", { params: { path: { node } } })),
  );
  if (failed[0]) sayProblem(failed[0].error);
  changed({ what: "trash" }, { what: "folder", folder: null });
}
