/** Downloads a file, a folder as an archive, or several as one. */
import { Download } from "@lucide/vue";
import { BASE, contentUrl, folderZipUrl, noticed, Problem } from "@/api/client";
import { sayProblem } from "@/state/toasts";
import type { Action } from "./action";
import { live, one } from "./context";

/** Nodes of an archive at most: the drive's limit. */
const NODES_MAX = 1_000;
/** The frame of a download goes when that has surely begun. */
const FRAME_MS = 600_000;

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

/**
 * A form, because only a form has the browser save what a POST answers. Into a frame that nobody sees: what comes to be shown
 * there is a problem, and the page stays.
 */
function archive(nodes: readonly string[], again = true): void {
  const frame = document.createElement("iframe");
  frame.name = `archive-${frames++}`;
  frame.hidden = true;
  document.body.append(frame);
  frame.addEventListener("load", () => {
    // A frame begins with an empty document.
    if (frame.contentDocument?.body.textContent === "") return;
    frame.remove();
    void why(nodes).then((problem) => {
      if (problem) sayProblem(problem);
      // What stood against it is over.
      else if (again) archive(nodes, false);
      else sayProblem(new Problem("rate-limited", 0, "each second time only"));
    });
  });
  setTimeout(() => frame.remove(), FRAME_MS);
  const form = document.createElement("form");
  form.target = frame.name;
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

let frames = 0;

/** What the drive has against an archive, if it still has. Frames are not shown that. */
async function why(nodes: readonly string[]): Promise<Problem | null> {
  try {
    const body = new URLSearchParams(nodes.map((node) => ["nodes", node]));
    const answer = await fetch(`${BASE}/zip`, { method: "POST", body });
    if (!answer.ok) return noticed(await Problem.from(answer));
    await answer.body?.cancel();
    return null;
  } catch (error) {
    return Problem.of(error);
  }
}
