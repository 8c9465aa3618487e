/** Does the drive answer at all? Asked again, less and less often, until it does. */
import { ref } from "vue";
import { Problem } from "@/api/client";
import { router } from "@/router";
import { isOutdated } from "@/state/version";

/** The page could not find out who is signed in, and shows nothing else until it can. */
export const away = ref(false);

const FIRST_PAUSE_MS = 1_000;
const PAUSE_MAX_MS = 15_000;
/** Until a screen is asked for again that did not come though something answers. */
const REFUSED_PAUSE_MS = 4_000;

/** Where the drive answered and the screen was asked for again. */
let again: string | null = null;

router.onError((error, to) => {
  if (Problem.of(error).code !== "no-answer") return;
  // It answers, and does not have the screen's script.
  if (again === to.fullPath) void loadAnew(to.fullPath);
  else wait(to.fullPath, FIRST_PAUSE_MS);
});

router.afterEach(() => {
  again = null;
});

/** The page itself, if the drive has another version of it. If not, a script may be refused on the way: then it waits. */
async function loadAnew(path: string): Promise<void> {
  if (await isOutdated(path)) location.assign(path);
  else wait(path, REFUSED_PAUSE_MS);
}

function wait(path: string, pause: number): void {
  away.value = true;
  tryAgain(path, pause);
}

function tryAgain(path: string, pause: number): void {
  setTimeout(async () => {
    try {
      const answer = await fetch("/healthz");
      if (answer.status < 500) {
        away.value = false;
        again = path;
        // Its failure is heard above.
        router.replace(path).catch(() => {});
        return;
      }
    } catch {
      // Not yet.
    }
    tryAgain(path, Math.min(pause * 2, PAUSE_MAX_MS));
  }, pause);
}
