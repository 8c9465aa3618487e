/** Why content is not shown. */
import { noticed, Problem } from "@/api/client";

/** Asks for the first byte. Answers the problem that the drive has with it, or `null`: the bytes come, only as nothing that the browser can show. */
export async function whyNot(url: string, signal: AbortSignal): Promise<Problem | null> {
  try {
    const answer = await fetch(url, { headers: { range: "bytes=0-0" }, signal });
    if (!answer.ok) return noticed(await Problem.from(answer));
    await answer.body?.cancel();
    return null;
  } catch (error) {
    return Problem.of(error);
  }
}
