/** Digests of files, computed by a worker of their own. */
import type { HashAnswer, HashAsk, Range } from "@/workers/hash.worker";

interface Waiting {
  resolve: (hex: string) => void;
  reject: (reason: Error) => void;
}

let worker: Worker | null = null;
let next = 1;
const waiting = new Map<number, Waiting>();

/** SHA-256 of a file, in hex digits. */
export function digestOf(file: Blob, signal: AbortSignal): Promise<string> {
  return ask({ id: next++, what: "digest", file }, signal);
}

/** What a challenge asks for: HMAC-SHA-256 over ranges of a file. */
export function proofOf(
  file: Blob,
  key: string,
  ranges: readonly Range[],
  signal: AbortSignal,
): Promise<string> {
  return ask({ id: next++, what: "proof", file, key, ranges: [...ranges] }, signal);
}

function ask(question: HashAsk, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  const { id } = question;
  return new Promise<string>((resolve, reject) => {
    const there = running();
    const leave = (): void => {
      there.postMessage({ id, what: "leave" } satisfies HashAsk);
      waiting.delete(id);
      reject(new Error("left"));
    };
    signal.addEventListener("abort", leave, { once: true });
    const end = (): void => signal.removeEventListener("abort", leave);
    waiting.set(id, {
      resolve: (hex) => {
        end();
        resolve(hex);
      },
      reject: (reason) => {
        end();
        reject(reason);
      },
    });
    there.postMessage(question);
  });
}

function running(): Worker {
  if (worker) return worker;
  const made = new Worker(new URL("../workers/hash.worker.ts", import.meta.url), {
    type: "module",
  });
  made.onmessage = ({ data }: MessageEvent<HashAnswer>) => {
    const one = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.what === "digest") one?.resolve(data.hex);
    else one?.reject(new Error(data.reason));
  };
  made.onerror = () => {
    // Whoever is next gets a new one.
    made.terminate();
    worker = null;
    const all = [...waiting.values()];
    waiting.clear();
    for (const one of all) one.reject(new Error("the worker ended"));
  };
  worker = made;
  return made;
}
