/** The first bytes of a content, and no more than them. */
import { noticed, Problem } from "@/api/client";

export async function firstBytes(
  url: string,
  limit: number,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  let answer: Response;
  try {
    answer = await fetch(url, { headers: { range: `bytes=0-${limit - 1}` }, signal });
  } catch (error) {
    throw Problem.of(error);
  }
  if (!answer.ok) throw noticed(await Problem.from(answer));
  const reader = answer.body?.getReader();
  const bytes = new Uint8Array(limit);
  let length = 0;
  try {
    // Whoever does not know ranges sends all of it: what is too much is not taken.
    while (reader && length < limit) {
      const { done, value } = await reader.read();
      if (done) break;
      const part = value.subarray(0, limit - length);
      bytes.set(part, length);
      length += part.length;
    }
    await reader?.cancel();
  } catch (error) {
    throw Problem.of(error);
  }
  return bytes.subarray(0, length);
}
