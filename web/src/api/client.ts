/** The drive's API v1, typed from its description. Knows no page: it answers what was asked, or throws a {@link Problem}. */
import createClient, { type FetchResponse } from "openapi-fetch";
import type { components, paths } from "./gen";

export type Schemas = components["schemas"];
export type Node = Schemas["Node"];
export type Account = Schemas["Account"];
export type Share = Schemas["Share"];
export type OnConflict = Schemas["OnConflict"];

export const BASE = "/api/v1";

/** How long an answer may take, milliseconds. Content that is sent or fetched has no such limit. */
const ANSWER_MS = 30_000;

/** Why something was not done: a problem of the API (RFC 9457), or no answer at all. */
export class Problem extends Error {
  constructor(
    /** What programs compare: a code of the API, `no-answer`, or `unreadable`. */
    readonly code: string,
    /** The status; 0 without an answer. */
    readonly status: number,
    detail: string,
    /** What else the API says. */
    readonly body: Partial<Schemas["Problem"]> = {},
  ) {
    super(detail);
    this.name = "Problem";
  }

  static of(error: unknown): Problem {
    if (error instanceof Problem) return error;
    return new Problem("no-answer", 0, error instanceof Error ? error.message : String(error));
  }

  /** Reads the problem of an answer that is one. */
  static async from(response: Response): Promise<Problem> {
    try {
      const body = (await response.json()) as Schemas["Problem"];
      if (typeof body.code === "string") {
        return new Problem(body.code, response.status, body.detail, body);
      }
    } catch {
      // A proxy's page, or nothing.
    }
    return new Problem(
      response.status >= 500 ? "no-answer" : "unreadable",
      response.status,
      response.statusText,
    );
  }
}

/** Called when the session is over, with the code of the problem that says so. */
let onSignedOut: (code: string) => void = () => {};

export function whenSignedOut(call: (code: string) => void): void {
  onSignedOut = call;
}

/** Codes of a session that is over, that never was, or that opens nothing any more. */
const SIGNED_OUT = new Set(["session-ended", "sign-in-needed", "account-frozen"]);

/** Does this problem mean that nobody is signed in? */
export function meansSignedOut(code: string): boolean {
  return SIGNED_OUT.has(code);
}

export const api = createClient<paths>({
  baseUrl: BASE,
  credentials: "same-origin",
  fetch: async (request: Request) => {
    const late = AbortSignal.timeout(ANSWER_MS);
    const signal = AbortSignal.any([request.signal, late]);
    return await fetch(new Request(request, { signal }));
  },
});

/** The data of an answer. Throws a {@link Problem}. */
export async function done<
  T extends Record<string | number, unknown>,
  O,
  M extends `${string}/${string}`,
>(asked: Promise<FetchResponse<T, O, M>>): Promise<NonNullable<FetchResponse<T, O, M>["data"]>> {
  let answer: FetchResponse<T, O, M>;
  try {
    answer = await asked;
  } catch (error) {
    throw Problem.of(error);
  }
  if (answer.response.ok) {
    return answer.data as NonNullable<FetchResponse<T, O, M>["data"]>;
  }
  throw noticed(problemOf(answer.error, answer.response));
}

/** A problem goes by: a session that is over is everybody's business. */
export function noticed(problem: Problem): Problem {
  if (meansSignedOut(problem.code)) onSignedOut(problem.code);
  return problem;
}

function problemOf(body: unknown, response: Response): Problem {
  if (
    typeof body === "object" &&
    body !== null &&
    "code" in body &&
    typeof body.code === "string"
  ) {
    const problem = body as Schemas["Problem"];
    return new Problem(problem.code, response.status, problem.detail, problem);
  }
  const code = response.status >= 500 ? "no-answer" : "unreadable";
  return new Problem(code, response.status, response.statusText);
}

/** Where the bytes of a file are. */
export function contentUrl(node: string, save = false): string {
  return `${BASE}/nodes/${encodeURIComponent(node)}/content${save ? "?save=true" : ""}`;
}

/** Where a folder is as an archive. */
export function folderZipUrl(node: string): string {
  return `${BASE}/nodes/${encodeURIComponent(node)}/zip`;
}

/** Edges of thumbnails that there are, pixels. */
export type Edge = 64 | 160 | 320 | 640 | 1280;

export function thumbnailUrl(node: string, edge: Edge): string {
  return `${BASE}/nodes/${encodeURIComponent(node)}/thumbnail?edge=${edge}`;
}

/** The same of shared nodes. */
export function sharedContentUrl(token: string, node: string, save = false): string {
  const path = `${BASE}/public/shares/${encodeURIComponent(token)}/nodes/${encodeURIComponent(node)}/content`;
  return save ? `${path}?save=true` : path;
}

export function sharedThumbnailUrl(token: string, node: string, edge: Edge): string {
  return `${BASE}/public/shares/${encodeURIComponent(token)}/nodes/${encodeURIComponent(node)}/thumbnail?edge=${edge}`;
}
