/** Computes digests beside the page: the SHA-256 of a file, and the proof of having it. Files are read in pieces. */
import { createHMAC, createSHA256 } from "hash-wasm";

export interface Range {
  offset: number;
  length: number;
}

export type HashAsk =
  | { id: number; what: "digest"; file: Blob }
  /** HMAC-SHA-256 over ranges of a file, one after the other. The key is in hex digits. */
  | { id: number; what: "proof"; file: Blob; key: string; ranges: readonly Range[] }
  | { id: number; what: "leave" };

export type HashAnswer =
  | { id: number; what: "digest"; hex: string }
  | { id: number; what: "failed"; reason: string };

/** Bytes that are read at once: few enough for the memory, and enough for other files to get their turn. */
const PIECE = 4 * 1024 * 1024;

const left = new Set<number>();

self.onmessage = async ({ data: ask }: MessageEvent<HashAsk>): Promise<void> => {
  const { id } = ask;
  if (ask.what === "leave") {
    left.add(id);
    return;
  }
  try {
    const whole = [{ offset: 0, length: ask.file.size }];
    const hex =
      ask.what === "digest"
        ? await over(id, ask.file, whole, createSHA256())
        : await over(id, ask.file, ask.ranges, createHMAC(createSHA256(), unhex(ask.key)));
    if (hex !== null) answer({ id, what: "digest", hex });
  } catch (error) {
    answer({ id, what: "failed", reason: String(error) });
  } finally {
    left.delete(id);
  }
};

/** The digest of ranges; `null` when nobody waits for it any more. */
async function over(
  id: number,
  file: Blob,
  ranges: readonly Range[],
  beginning: ReturnType<typeof createSHA256>,
): Promise<string | null> {
  const digest = (await beginning).init();
  for (const { offset, length } of ranges) {
    for (let at = offset; at < offset + length; at += PIECE) {
      if (left.has(id)) return null;
      const piece = file.slice(at, Math.min(at + PIECE, offset + length));
      digest.update(new Uint8Array(await piece.arrayBuffer()));
    }
  }
  return digest.digest("hex");
}

function unhex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length / 2);
  for (let at = 0; at < bytes.length; at += 1) {
    bytes[at] = Number.parseInt(text.slice(2 * at, 2 * at + 2), 16);
  }
  return bytes;
}

function answer(said: HashAnswer): void {
  self.postMessage(said);
}
