/** Puts things into the trash, from where they come back. */
import { Trash2 } from "@lucide/vue";
import { api, done } from "@/api/client";
import { pooled } from "@/domain/pool";
import { i18n } from "@/i18n";
import { type Change, changed } from "@/state/changes";
import type { Row } from "@/state/listing";
import { say, sayProblem } from "@/state/toasts";
import type { Action } from "./action";
import { live } from "./context";

/** Requests at a time. */
export const AT_ONCE = 4;

export const trash: Action = {
  id: "trash",
  label: "actions.trash",
  icon: Trash2,
  keys: ["Delete"],
  group: "remove",
  bar: true,
  danger: true,
  when: live,
  run: async ({ nodes, listing }) => {
    const { t } = i18n.global;
    const ids = nodes.map((node) => node.id);
    listing?.hide(ids);
    const { done: gone, failed } = await pooled(nodes, AT_ONCE, (node) =>
      done(api.DELETE("/nodes/{node}", { params: { path: { node: node.id } } })),
    );
    listing?.settle(ids);
    const first = gone[0];
    if (first) {
      const words = { name: first.item.name, count: gone.length };
      say(t("actions.done.trash", words, gone.length), {
        label: t("common.undo"),
        run: () => void bringBack(gone.map(({ item, result }) => ({ item, entry: result.trash }))),
      });
    }
    if (failed[0]) sayProblem(failed[0].error);
    changed(...foldersOf(nodes), { what: "trash" });
  },
};

/** The folders that rows are in. */
function foldersOf(nodes: readonly Row[]): Change[] {
  const folders = new Set(nodes.map((node) => node.parent));
  return [...folders].map((folder) => ({ what: "folder" as const, folder }));
}

async function bringBack(gone: readonly { item: Row; entry: string }[]): Promise<void> {
  const { failed } = await pooled(gone, AT_ONCE, ({ item, entry }) =>
    done(
      api.POST("/trash/{entry}/restore", {
        params: { path: { entry } },
        body: item.parent === null ? {} : { parent: item.parent },
      }),
    ),
  );
  if (failed[0]) sayProblem(failed[0].error);
  changed(...foldersOf(gone.map(({ item }) => item)), { what: "trash" });
}
