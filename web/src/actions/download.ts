/** Downloads a file, a folder as an archive, or several as one. */
import { Download } from "@lucide/vue";
import { BASE, contentUrl, folderZipUrl, Problem } from "@/api/client";
import { sayProblem } from "@/state/toasts";
import type { Action } from "./action";
import { live, one } from "./context";

/** Nodes of an archive at most: the drive's limit. */
const NODES_MAX = 1_000;

export const download: Action = {
  id: "download",
  label: "actions.download",
  icon: Download,
  group: "give",
  bar: true,
  when: live,
  run: (context) => {
    const node = one(context);
    if (node) {
      const link = document.createElement("a");
      link.href = node.kind === "folder" ? folderZipUrl(node.id) : contentUrl(node.id, true);
      // Where the answer is a problem the page stays.
      link.download = "";
      link.click();
    } else if (context.nodes.length > NODES_MAX) {
      sayProblem(new Problem("too-many-nodes", 0, "more nodes than an archive takes"));
    } else {
      archive(context.nodes.map((each) => each.id));
    }
  },
};

/** A form, because only a form has the browser save what a POST answers. */
function archive(nodes: readonly string[]): void {
  const form = document.createElement("form");
  form.method = "post";
  form.action = `${BASE}/zip`;
  form.hidden = true;
  for (const node of nodes) {
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = "nodes";
    field.value = node;
    form.append(field);
  }
  document.body.append(form);
  form.submit();
  form.remove();
}
