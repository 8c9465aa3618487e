/** Picks files, or a folder, and uploads them into the folder that is shown. */
import { FolderUp, Upload } from "@lucide/vue";
import { pickFiles } from "@/state/uploads";
import type { Action } from "./action";
import { shownFolder } from "./context";

export const upload: Action = {
  id: "upload",
  label: "actions.upload",
  icon: Upload,
  keys: ["U"],
  group: "list",
  when: (context) => context.place !== "trash",
  run: (context) => pickFiles(shownFolder(context) ?? undefined),
};

export const uploadFolder: Action = {
  id: "upload-folder",
  label: "actions.upload-folder",
  icon: FolderUp,
  keys: ["Shift+U"],
  group: "list",
  // Browsers of phones pick no folders.
  when: (context) =>
    context.place !== "trash" && "webkitdirectory" in document.createElement("input"),
  run: (context) => pickFiles(shownFolder(context) ?? undefined, "folder"),
};
