/** Ways for a file to come to the drive: nothing sent at all, one request, or tus. Each throws a Problem. */
import { type DetailedError, type HttpResponse, Upload } from "tus-js-client";
import { api, BASE, done, noticed, type OnConflict, Problem } from "@/api/client";
import { digestOf, proofOf } from "./upload-hash";

/** Bytes of a request of tus. */
const CHUNK = 16 * 1024 * 1024;
/** A connection on which nothing moves for so long is given up. */
const STALL_MS = 120_000;
/** A file that is certain but waits in a queue is looked for so often, with so long between. */
const RECORD_LOOKS = 30;
const RECORD_PAUSE_MS = 1_000;

/** A file, where it goes, and what is done if the name is taken. */
export interface Sending {
  parent: string;
  name: string;
  file: File;
  onConflict: OnConflict;
  /** Tells a request that is sent again from a new one. */
  key: string;
  signal: AbortSignal;
  onSent: (bytes: number) => void;
}

/** The drive makes the file of what it has, if it has it: the file's id. */
export async function instant(sending: Sending, sha256: string): Promise<string | null> {
  const { parent, name, file, onConflict, key, signal } = sending;
  const path = { node: parent };
  const answer = await done(
    api.POST("/nodes/{node}/instant", {
      params: { path, header: { "Idempotency-Key": `${key}-instant` } },
      body: { name, sha256, size: file.size, on_conflict: onConflict },
      signal,
    }),
  );
  if (!("challenge" in answer)) return answer.id;
  const proof = await proofOf(file, answer.nonce, answer.ranges, signal);
  try {
    const { challenge } = answer;
    const made = await done(
      api.POST("/nodes/{node}/instant/proof", {
        params: { path, header: { "Idempotency-Key": `${key}-proof` } },
        body: { name, challenge, proof, on_conflict: onConflict },
        signal,
      }),
    );
    return made.id;
  } catch (error) {
    if (Problem.of(error).code === "content-unknown") return null;
    throw error;
  }
}

export { digestOf };

/** The file as the body of one request: its id, or `null` when it is certain and not there yet. */
export async function put(sending: Sending): Promise<string | null> {
  const { parent, name, file, onConflict, key, signal, onSent } = sending;
  signal.throwIfAborted();
  const path = `${BASE}/nodes/${encodeURIComponent(parent)}/files/${encodeURIComponent(name)}`;
  const request = new XMLHttpRequest();
  const answered = new Promise<void>((resolve, reject) => {
    request.onload = () => resolve();
    const broke = (): void => reject(new Problem("no-answer", 0, "the request broke"));
    request.onerror = broke;
    request.onabort = broke;
  });
  const stall = watchStall(() => request.abort());
  request.upload.onprogress = (event) => {
    stall.moved();
    onSent(event.loaded);
  };
  const leave = (): void => request.abort();
  signal.addEventListener("abort", leave, { once: true });
  try {
    request.open("PUT", `${path}?on_conflict=${onConflict}`);
    request.setRequestHeader("content-type", "application/octet-stream");
    request.setRequestHeader("idempotency-key", key);
    request.send(file);
    await answered;
  } finally {
    stall.end();
    signal.removeEventListener("abort", leave);
  }
  if (request.status === 201) return (JSON.parse(request.responseText) as { id: string }).id;
  if (request.status === 202) return await applied(request.responseText, signal);
  throw noticed(problemOf(request.status, request.responseText));
}

/** A file that is certain and comes later: it may still be refused. One that takes long is believed. */
async function applied(text: string, signal: AbortSignal): Promise<string | null> {
  const { key } = JSON.parse(text) as { key: string };
  for (let look = 0; look < RECORD_LOOKS; look += 1) {
    const record = await done(api.GET("/records/{key}", { params: { path: { key } }, signal }));
    if (record.state === "applied") return record.node;
    if (record.state === "refused") throw new Problem(record.problem ?? "unreadable", 409, "");
    await new Promise((resolve) => setTimeout(resolve, RECORD_PAUSE_MS));
    signal.throwIfAborted();
  }
  return null;
}

/** An upload that can go on after whatever happens. */
export interface Resumable extends Sending {
  sha256: string | null;
  /** The upload on the drive, when it is begun. */
  upload: string | null;
  onBegun: (upload: string) => void;
}

const UPLOADS = `${BASE}/uploads`;

/** The file, in pieces, from where it was: its id. */
export async function resumable(sending: Resumable): Promise<string | null> {
  const { parent, name, file, onConflict, sha256, key, signal, onSent, onBegun } = sending;
  signal.throwIfAborted();
  const there = sending.upload === null ? null : await lookAgain(sending.upload, signal);
  if (there !== null) return there;
  let stall: Stall | null = null;
  const last = await new Promise<{ url: string; response: HttpResponse }>((resolve, reject) => {
    const url = (path: string): string => new URL(path, location.href).href;
    const upload = new Upload(file, {
      endpoint: sending.upload === null ? url(UPLOADS) : null,
      uploadUrl: sending.upload === null ? null : url(`${UPLOADS}/${sending.upload}`),
      metadata: {
        filename: name,
        parent,
        on_conflict: onConflict,
        ...(sha256 === null ? {} : { sha256 }),
      },
      chunkSize: CHUNK,
      // Tried again from outside, where it is known why, and how far it is shown.
      retryDelays: null,
      storeFingerprintForResuming: false,
      onBeforeRequest: (request) => {
        stall?.moved();
        // A request that begins an upload and is not answered would begin another.
        if (request.getMethod() === "POST") request.setHeader("idempotency-key", key);
      },
      onUploadUrlAvailable: () => {
        // From now on it goes on, or says why not; it never silently begins anew.
        upload.options.endpoint = null;
        onBegun((upload.url ?? "").split("/").pop() ?? "");
      },
      onProgress: (sent) => {
        stall?.moved();
        onSent(sent);
      },
      onError: (error) => reject(problemOfTus(error)),
      onSuccess: ({ lastResponse }) => resolve({ url: upload.url ?? "", response: lastResponse }),
    });
    stall = watchStall(() => {
      upload.abort();
      reject(new Problem("no-answer", 0, "nothing moved"));
    });
    signal.addEventListener(
      "abort",
      () => {
        upload.abort();
        reject(new Problem("no-answer", 0, "left"));
      },
      { once: true },
    );
    upload.start();
  }).finally(() => stall?.end());
  // All bytes can be there without the file: then whoever comes last asks for it.
  const made = fileAt(last.response.getHeader("Content-Location"));
  return made ?? (await finish(last.url, file.size, signal));
}

/** The id of the file that an answer says the upload has become. */
function fileAt(location: string | null | undefined): string | null {
  return location?.split("/").pop() || null;
}

/**
 * Can an upload be gone on with? Asked with no bytes at all: whoever sends some to a drive that does not take them,
 * because a writer that died still holds it, is cut off and never reads why. The file's id when it is one already.
 */
async function lookAgain(upload: string, signal: AbortSignal): Promise<string | null> {
  const there = await done(api.GET("/uploads/{upload}", { params: { path: { upload } }, signal }));
  return there.node ?? (await finish(`${UPLOADS}/${upload}`, there.offset, signal));
}

/**
 * Brings nothing: the last step of an upload whose bytes are all there, which makes the file. Its id; `null` while bytes
 * are missing.
 */
async function finish(url: string, size: number, signal: AbortSignal): Promise<string | null> {
  const late = AbortSignal.any([signal, AbortSignal.timeout(STALL_MS)]);
  let answer: Response;
  try {
    answer = await fetch(url, {
      method: "PATCH",
      headers: {
        "tus-resumable": "1.0.0",
        "content-type": "application/offset+octet-stream",
        "upload-offset": String(size),
      },
      signal: late,
    });
  } catch (error) {
    throw Problem.of(error);
  }
  if (answer.ok) return fileAt(answer.headers.get("content-location"));
  const problem = await Problem.from(answer);
  if (problem.code !== "upload-ended") throw noticed(problem);
  // The drive was faster.
  const upload = url.split("/").pop() ?? "";
  return (await done(api.GET("/uploads/{upload}", { params: { path: { upload } }, signal }))).node;
}

/** Gives an upload up. The drive does so by itself when nothing comes for a day. */
export async function giveUp(upload: string): Promise<void> {
  await done(
    api.DELETE("/uploads/{upload}", {
      params: { path: { upload }, header: { "Tus-Resumable": "1.0.0" } },
    }),
  );
}

interface Stall {
  moved: () => void;
  end: () => void;
}

function watchStall(give: () => void): Stall {
  let timer = setTimeout(give, STALL_MS);
  return {
    moved: () => {
      clearTimeout(timer);
      timer = setTimeout(give, STALL_MS);
    },
    end: () => clearTimeout(timer),
  };
}

/** Codes of answers without a body: those to HEAD. */
const BY_STATUS: Record<number, string> = {
  0: "no-answer",
  401: "session-ended",
  404: "upload-not-found",
  410: "upload-expired",
  423: "upload-busy",
  429: "rate-limited",
};

function problemOf(status: number, text: string): Problem {
  try {
    const body = JSON.parse(text) as { code?: unknown; detail?: string };
    if (typeof body.code === "string") {
      return new Problem(body.code, status, body.detail ?? "", body as Problem["body"]);
    }
  } catch {
    // A proxy's page, or nothing.
  }
  const code = BY_STATUS[status] ?? (status >= 500 ? "no-answer" : "unreadable");
  return new Problem(code, status, "");
}

function problemOfTus(error: Error | DetailedError): Problem {
  if (!("originalRequest" in error)) return new Problem("unreadable", 0, error.message);
  const answer = error.originalResponse;
  if (answer === null) return new Problem("no-answer", 0, error.message);
  return noticed(problemOf(answer.getStatus(), answer.getBody()));
}
