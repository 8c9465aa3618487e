/**
 * The ground of the page's tests: a real `cairn up` for each worker, in a folder of its own on free ports; people with
 * accounts of their own; a browser that is signed in.
 *
 * `CAIRN` names the binary (target/debug/cairn unless it is set). With `PAGE=vite` the page comes from Vite as it is
 * written, and only the API from the binary: for working on the page. `PAGE=built` takes what `npm run build` made.
 * `SHOTS` names a folder for pictures of the screens.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AxeBuilder } from "@axe-core/playwright";
import {
  type APIRequestContext,
  test as base,
  expect,
  type Locator,
  type Page,
  request,
} from "@playwright/test";
import { type Language, texts } from "./texts";

export { expect };

const BINARY =
  process.env.CAIRN ?? fileURLToPath(new URL("../../target/debug/cairn", import.meta.url));
const READY_MS = 30_000;
/** Where `cairn up` has the drive. */
const DRIVE_PORT = 8080;
export const PASSWORD = "correct horse battery";

/** A drive that runs. */
export interface Site {
  /** Where the page is. */
  url: string;
  /** Where the API is. */
  drive: string;
  admin: { name: string; password: string };
  /** Ends the drive at once, and starts it again on the same data and ports. */
  kill: () => Promise<void>;
  restart: () => Promise<void>;
}

/** Somebody with an account. */
export interface Person {
  name: string;
  password: string;
  /** Asks the API as them. */
  api: APIRequestContext;
  root: string;
}

/**
 * A loopback address of one's own. The ports are the usual ones on it: one that was found free could be given to
 * somebody else, as the near end of a connection too, before it is listened on. Listening on a guard port claims it, as
 * in dev/testkit/src/address.rs, which has the addresses of 127.0.0.
 */
async function claimAddress(): Promise<{ ip: string; close: () => Promise<void> }> {
  const GUARD_PORT = 22119;
  for (let last = 10; last < 250; last++) {
    const ip = `127.0.1.${last}`;
    const guard = await new Promise<Server | null>((resolve, reject) => {
      const server = createServer();
      server.once("error", (error: NodeJS.ErrnoException) =>
        error.code === "EADDRINUSE" ? resolve(null) : reject(error),
      );
      server.listen(GUARD_PORT, ip, () => resolve(server));
    });
    if (guard) return { ip, close: () => new Promise((resolve) => guard.close(() => resolve())) };
  }
  throw new Error("no loopback address is free");
}

/** Starts everything. */
function spawnUp(data: string, ip: string): { child: ChildProcess; said: () => string } {
  const child = spawn(BINARY, ["up", "--data", data, "--listen", ip, "--open-registration"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (bytes: Buffer) => {
      said += bytes.toString();
    });
  }
  return { child, said: () => said };
}

/** Waits until it answers and has said this, and gives back what the words in it are. */
async function ready(
  { child, said }: ReturnType<typeof spawnUp>,
  ip: string,
  wanted: RegExp,
): Promise<RegExpExecArray> {
  const end = Date.now() + READY_MS;
  while (Date.now() < end) {
    // Before anybody is asked: whoever answers then might be another one.
    if (child.exitCode !== null)
      throw new Error(`cairn up ended with ${child.exitCode}:\n${said()}`);
    const words = wanted.exec(said());
    try {
      const health = await fetch(`http://${ip}:${DRIVE_PORT}/healthz`);
      if (words && health.ok) return words;
    } catch {
      // Not yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`cairn up was not ready in ${READY_MS} ms:\n${said()}`);
}

async function end(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await ended;
}

/** Asks the API as somebody. */
async function apiAs(
  site: Site,
  who: { name: string; password: string },
): Promise<APIRequestContext> {
  const visitor = await request.newContext({ baseURL: site.drive });
  const signed = await visitor.post("/api/v1/session", {
    data: { user_name: who.name, password: who.password, hand: "token" },
  });
  expect(signed.status(), await signed.text()).toBe(201);
  const { token } = (await signed.json()) as { token: string };
  await visitor.dispose();
  return await request.newContext({
    baseURL: site.drive,
    extraHTTPHeaders: { authorization: `Bearer ${token}` },
  });
}

interface WorkerFixtures {
  site: Site;
  /** Asks the API as the administrator: whose password is checked once. */
  office: APIRequestContext;
}

interface TestFixtures {
  /** Makes an account; `name` is part of its name. */
  newPerson: (name?: string) => Promise<Person>;
  /** Somebody whom the page is signed in as. */
  person: Person;
  /** The page, signed in as {@link TestFixtures.person}. */
  drive: Page;
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  site: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of the parameters.
    async ({}, use) => {
      const address = await claimAddress();
      const data = mkdtempSync(join(tmpdir(), "cairn-page-"));
      let running = spawnUp(data, address.ip);
      let vite: Awaited<ReturnType<typeof viteServer>> | null = null;
      try {
        const words = await ready(running, address.ip, /with the password (\S+)/);
        const drive = `http://${address.ip}:${DRIVE_PORT}`;
        vite = process.env.PAGE ? await viteServer(address.ip, process.env.PAGE) : null;
        await use({
          url: vite?.url ?? drive,
          drive,
          admin: { name: "admin", password: words[1] ?? "" },
          kill: () => end(running.child, "SIGKILL"),
          restart: async () => {
            running = spawnUp(data, address.ip);
            await ready(running, address.ip, /./);
          },
        });
        await end(running.child, "SIGTERM");
      } finally {
        // One that is left would answer in the place of the next, and what it leaves fills the disk.
        await end(running.child, "SIGKILL");
        await vite?.close();
        await address.close();
        rmSync(data, { recursive: true, force: true });
      }
    },
    { scope: "worker", timeout: READY_MS * 2 },
  ],

  office: [
    async ({ site }, use) => {
      const api = await apiAs(site, site.admin);
      await use(api);
      await api.dispose();
    },
    { scope: "worker" },
  ],

  baseURL: async ({ site }, use) => use(site.url),

  newPerson: async ({ site, office }, use) => {
    const contexts: APIRequestContext[] = [];
    await use(async (name = "person") => {
      const user = `${name}-${randomBytes(4).toString("hex")}`;
      // An administrator makes the accounts: strangers make no more than twenty an hour from an address.
      const made = await office.post("/api/v1/accounts", {
        data: { user_name: user, password: PASSWORD },
      });
      expect(made.status(), await made.text()).toBe(201);
      const api = await apiAs(site, { name: user, password: PASSWORD });
      contexts.push(api);
      const me = (await (await api.get("/api/v1/me")).json()) as { root: string };
      return { name: user, password: PASSWORD, api, root: me.root };
    });
    for (const context of contexts) await context.dispose();
  },

  person: async ({ newPerson }, use) => use(await newPerson()),

  drive: async ({ page, person }, use) => {
    await signIn(page, person);
    await use(page);
  },
});

/** Signs a browser in without the form: its cookie is the session's. */
export async function signIn(page: Page, who: { name: string; password: string }): Promise<void> {
  const answer = await page.request.post("/api/v1/session", {
    data: { user_name: who.name, password: who.password },
    headers: { "sec-fetch-site": "same-origin" },
  });
  expect(answer.status(), await answer.text()).toBe(201);
}

/** The languages and the small size that every screen is tried in. */
export const LANGUAGES = ["en", "zh-CN"] as const;
const PHONE = { width: 360, height: 740 };

/** How somebody has the page before them. */
export interface Face {
  locale: Language;
  /** A small screen, and fingers. */
  phone: boolean;
  /** The page's texts. */
  t: ReturnType<typeof texts>;
  /** Presses something as one does there: with a mouse, or with a finger. */
  press: (what: Locator) => Promise<void>;
}

/** A language on a desktop, or on a phone. */
export function faceOf(locale: Language, phone = false): Face {
  return {
    locale,
    phone,
    t: texts(locale),
    press: (what) => (phone ? what.tap() : what.click()),
  };
}

/** What a browser of a face is like. Each has a theme, so that screens are seen in both. */
export function browserOf({ locale, phone }: Face) {
  return {
    locale,
    colorScheme: (locale === "en") === phone ? ("dark" as const) : ("light" as const),
    ...(phone ? { viewport: PHONE, hasTouch: true, isMobile: true } : {}),
  };
}

function declareOn(faces: readonly Face[], declare: (face: Face) => void): void {
  for (const one of faces) {
    test.describe(one.phone ? `phone, ${one.locale}` : one.locale, () => {
      test.use(browserOf(one));
      declare(one);
    });
  }
}

/** Both languages on a desktop, and a phone of one of them. */
export function facesWith(phone: Language): Face[] {
  return [...LANGUAGES.map((locale) => faceOf(locale)), faceOf(phone, true)];
}

/** Declares flows that there are in both languages and on a phone, whose language is `phone`. */
export function onFaces(phone: Language, declare: (face: Face) => void): void {
  declareOn(facesWith(phone), declare);
}

/** Declares flows that a phone has not, in both languages. */
export function onDesktops(declare: (face: Face) => void): void {
  declareOn(
    LANGUAGES.map((locale) => faceOf(locale)),
    declare,
  );
}

/** Declares flows that only a phone has. */
export function onPhone(locale: Language, declare: (face: Face) => void): void {
  declareOn([faceOf(locale, true)], declare);
}

/** The row of a list that has this in it. */
export function rowOf(page: Page, name: string): Locator {
  return page.getByRole("row").filter({ hasText: name });
}

/** A finger rests on a row until it is chosen. */
export async function rest(row: Locator): Promise<void> {
  const box = await row.boundingBox();
  if (!box) throw new Error("the row is not in sight");
  const finger = await row.page().context().newCDPSession(row.page());
  const at = { x: box.x + 120, y: box.y + box.height / 2 };
  await finger.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [at] });
  await expect(row).toHaveAttribute("aria-selected", "true");
  await finger.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  await finger.detach();
}

/** Chooses a row, and nothing else. */
export async function chooseRow({ phone }: Face, row: Locator): Promise<void> {
  await (phone ? rest(row) : row.click());
}

/** Does something with a row by its menu: that of the other mouse button, or of the row's own button. */
export async function act(
  { phone, press, t }: Face,
  page: Page,
  name: string,
  action: string,
): Promise<void> {
  const row = rowOf(page, name);
  if (phone) await row.getByRole("button", { name: t("files.more", { name }) }).tap();
  else await row.click({ button: "right" });
  // The key for it stands after its name.
  const label = t(`actions.${action}`);
  await press(page.getByRole("menuitem", { name: new RegExp(`^${label}( |$)`) }));
}

/** Nothing is wider than the window: neither the page, nor what it scrolls in. */
export async function expectNoSideways(page: Page): Promise<void> {
  const wider = await page.evaluate(() =>
    [document.documentElement, ...document.querySelectorAll("main, [role=dialog]")]
      .filter((one) => one.scrollWidth > Math.min(one.clientWidth, innerWidth))
      .map((one) => `${one.tagName} ${one.scrollWidth}`),
  );
  expect(wider).toEqual([]);
}

/** Chooses language and theme as the page keeps them. To be called before it is opened. */
export async function choose(
  page: Page,
  wanted: { locale?: string; theme?: "light" | "dark" },
): Promise<void> {
  await page.addInitScript((given) => {
    localStorage.setItem("cairn.settings", JSON.stringify(given));
  }, wanted);
}

/** What comes in is where it is going to stay, and as strong as it is going to be. */
export async function expectStill(page: Page): Promise<void> {
  await page.evaluate(() =>
    Promise.allSettled(
      document
        .getAnimations()
        .filter((one) => one.effect?.getComputedTiming().endTime !== Number.POSITIVE_INFINITY)
        .map((one) => one.finished),
    ),
  );
}

/** Nothing on the screen stands in the way of anybody, as far as axe can see. */
export async function expectAccessible(page: Page): Promise<void> {
  await expectStill(page);
  const found = await new AxeBuilder({ page })
    .withTags(["wcag2a", "wcag2aa", "wcag21aa"])
    // There are no frames here: without the page that their results are put together in it takes half the time.
    .setLegacyMode(true)
    .analyze();
  expect(
    found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" ")}`),
  ).toEqual([]);
}

/** Where pictures of the screens go, if anybody wants to look at them. */
const SHOTS = process.env.SHOTS;
if (SHOTS) mkdirSync(SHOTS, { recursive: true });

/** Takes a picture of the screen, if anybody wants to look at it. What scrolls by itself needs a height. */
export async function shot(page: Page, name: string, height?: number): Promise<void> {
  if (!SHOTS) return;
  const size = page.viewportSize();
  if (height && size) await page.setViewportSize({ ...size, height });
  await page.screenshot({ path: `${SHOTS}/${name}.png` });
  if (height && size) await page.setViewportSize(size);
}

/** Puts a file there through the API. */
export async function putFile(
  who: Person,
  folder: string,
  name: string,
  bytes: Buffer | string,
): Promise<{ id: string }> {
  const answer = await who.api.put(`/api/v1/nodes/${folder}/files/${encodeURIComponent(name)}`, {
    data: typeof bytes === "string" ? Buffer.from(bytes) : bytes,
    headers: { "content-type": "application/octet-stream" },
  });
  expect(answer.status(), await answer.text()).toBe(201);
  return (await answer.json()) as { id: string };
}

/** Makes a folder through the API. */
export async function makeFolder(
  who: Person,
  parent: string,
  name: string,
): Promise<{ id: string }> {
  const answer = await who.api.post(`/api/v1/nodes/${parent}/children`, { data: { name } });
  expect(answer.status(), await answer.text()).toBe(201);
  return (await answer.json()) as { id: string };
}

async function viteServer(
  ip: string,
  page: string,
): Promise<{ url: string; close: () => Promise<void> }> {
  process.env.CAIRN_URL = `http://${ip}:${DRIVE_PORT}`;
  const { createServer, preview } = await import("vite");
  const at = { host: ip, port: 5173, strictPort: true };
  const root = fileURLToPath(new URL("..", import.meta.url));
  const url = `http://${ip}:${at.port}`;
  if (page === "built") {
    const server = await preview({ root, preview: at, logLevel: "error" });
    return { url, close: () => server.close() };
  }
  const server = await createServer({ root, server: at, logLevel: "error" });
  await server.listen();
  return { url, close: () => server.close() };
}
