/** Waits for what comes of a record that the drive has accepted and not applied yet. */
import { api, done, Problem, type Schemas } from "@/api/client";

const PAUSE_MS = 1_000;
const PAUSE_MAX_MS = 10_000;
/** So long somebody is kept in front of it. It goes on without them. */
const PATIENCE_MS = 10 * 60_000;

/** The record when it is applied or refused; `null` when it takes longer, or `signal` ends the wait. */
export async function outcome(
  key: string,
  signal: AbortSignal,
  late: () => void,
): Promise<Schemas["Record"] | null> {
  const end = Date.now() + PATIENCE_MS;
  let pause = PAUSE_MS;
  while (Date.now() < end && !signal.aborted) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 1.5, PAUSE_MAX_MS);
    try {
      const record = await done(api.GET("/records/{key}", { params: { path: { key } }, signal }));
      if (record.state !== "waiting") return record;
    } catch (error) {
      // The drive is away as its database is; what it accepted, it keeps.
      const { status } = Problem.of(error);
      if (status !== 0 && status < 500 && status !== 429) throw error;
    }
  }
  if (!signal.aborted) late();
  return null;
}
