/** Is the page that is open still the one that the drive has? */
import { Problem } from "@/api/client";
import { sayProblem } from "./toasts";

/** Whether the drive answers with a page at a path, and it is another than this. What answers may be nginx only. */
export async function isOutdated(path: string): Promise<boolean> {
  // The name of its script changes with all that it loads.
  const script = document.querySelector("script[type=module][src]")?.getAttribute("src");
  try {
    const page = await fetch(path);
    return page.ok && !!script && !(await page.text()).includes(script);
  } catch {
    return false;
  }
}

/** Says why a part of the page did not come. */
export async function sayUnloaded(error: unknown): Promise<void> {
  const outdated = await isOutdated("/");
  sayProblem(outdated ? new Problem("page-outdated", 0, "its scripts are gone") : error);
}
