/**
 * Uploads. A phone has nothing to drop, paste or pick folders with: its browsers give a page files alone, that are chosen
 * with a button.
 */
import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  createReadStream,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Locator, Page } from "@playwright/test";
import {
  browserOf,
  expect,
  expectAccessible,
  expectNoSideways,
  type Face,
  faceOf,
  facesWith,
  makeFolder,
  onDesktops,
  onFaces,
  type Person,
  putFile,
  type Site,
  signIn,
  test,
} from "./kit";

const MIB = 1024 * 1024;

/** A folder for a test's files. */
let folder: string;
test.beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cairn-upload-"));
});
test.afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, bytes: Buffer | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

function trayOf(page: Page, { t }: Face): Locator {
  return page.getByRole("region", { name: t("upload.tray") });
}

/** The one line of the tray. */
function lineOf(page: Page, face: Face): Locator {
  return trayOf(page, face).getByRole("heading", { level: 2 });
}

/** Picks files: with the key for it, or with a phone's button. */
async function pick(page: Page, { phone, t }: Face, what: string | string[]): Promise<void> {
  const [chooser] = await Promise.all([
    page.waitForEvent("filechooser"),
    phone
      ? page
          .getByRole("button", { name: t("actions.upload") })
          .first()
          .tap()
      : page.keyboard.press("u"),
  ]);
  await chooser.setFiles(what);
}

async function openFiles(page: Page): Promise<void> {
  // Choosers are taken over only while somebody listens: a key is faster than the beginning of that.
  page.on("filechooser", () => {});
  await page.goto("/files");
  await expect(page.getByRole("main")).toBeVisible();
  // The zone listens when the tray's part of the page is there.
  await expect(page.locator("[data-drop-zone]")).toBeAttached();
}

interface Listed {
  id: string;
  kind: string;
  name: string;
  size: number | null;
}

async function children(who: Person, node: string): Promise<Listed[]> {
  const answer = await who.api.get(`/api/v1/nodes/${node}/children?limit=1000`);
  expect(answer.status()).toBe(200);
  return ((await answer.json()) as { rows: Listed[] }).rows;
}

async function namesIn(who: Person, node: string): Promise<string[]> {
  return (await children(who, node)).map(({ name }) => name);
}

async function uploadsOf(who: Person): Promise<{ offset: number }[]> {
  const answer = await who.api.get("/api/v1/uploads");
  return ((await answer.json()) as { rows: { offset: number }[] }).rows;
}

/** SHA-256 of what the drive gives back. */
async function digestOnDrive(site: Site, who: Person, node: string): Promise<string> {
  const signed = await fetch(`${site.drive}/api/v1/session`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user_name: who.name, password: who.password, hand: "token" }),
  });
  const { token } = (await signed.json()) as { token: string };
  const content = await fetch(`${site.drive}/api/v1/nodes/${node}/content`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect(content.status).toBe(200);
  const digest = createHash("sha256");
  for await (const bytes of content.body as unknown as AsyncIterable<Uint8Array>) {
    digest.update(bytes);
  }
  return digest.digest("hex");
}

async function digestOfFile(path: string): Promise<string> {
  const digest = createHash("sha256");
  for await (const bytes of createReadStream(path)) digest.update(bytes as Buffer);
  return digest.digest("hex");
}

/** Bytes go out slowly from now on; `null`: as fast as they can. */
async function slowly(page: Page, bytesPerSecond: number | null): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: bytesPerSecond ?? -1,
  });
}

/** Waits until so many bytes of the one upload are on the drive. */
async function untilThere(who: Person, bytes: number, within = 120_000): Promise<void> {
  await expect(async () => {
    expect((await uploadsOf(who))[0]?.offset ?? 0).toBeGreaterThan(bytes);
  }).toPass({ timeout: within });
}

/** Somebody who sends a file from a face of the page. */
interface Sender {
  face: Face;
  page: Page;
  who: Person;
  path: string;
  size: number;
}

/** Sends files, while the drive is killed and the page is loaded anew. All at once: its lease of a dead upload is long. */
async function interruptTwice(
  site: Site,
  senders: readonly Sender[],
  within: number,
): Promise<void> {
  const all = async (work: (sender: Sender) => Promise<void>): Promise<void> => {
    await Promise.all(senders.map(work));
  };
  await all(async ({ face, page, who, path, size }) => {
    await pick(page, face, path);
    await untilThere(who, size * 0.15, within);
  });
  await site.kill();
  await all(({ face, page }) => expect(lineOf(page, face)).toHaveText(face.t("upload.away")));
  await site.restart();
  await all((sender) => goOnAnew(site, sender, within));
}

/** Waits for an upload that goes on, loads the page anew, and chooses the file again. */
async function goOnAnew(
  site: Site,
  { face, page, who, path, size }: Sender,
  within: number,
): Promise<void> {
  const { press, t } = face;
  const [tray, line] = [trayOf(page, face), lineOf(page, face)];
  const before = (await uploadsOf(who))[0]?.offset ?? 0;
  expect(before).toBeGreaterThan(size * 0.15);
  await untilThere(who, Math.max(before, size * 0.4), within);

  const asked: string[] = [];
  page.once("dialog", async (dialog) => {
    asked.push(dialog.type());
    await dialog.accept();
  });
  await page.reload();
  expect(asked).toEqual(["beforeunload"]);
  const name = path.split("/").pop() ?? "";
  await expect(line).toHaveText(t("upload.lost", { count: 1 }));
  await expectNoSideways(page);
  const [there] = await uploadsOf(who);
  const again = async (file: string): Promise<void> => {
    const [chooser] = await Promise.all([
      page.waitForEvent("filechooser"),
      press(tray.getByRole("button", { name: t("upload.do.choose-short") })),
    ]);
    await chooser.setFiles(file);
  };
  await again(write(`not-${name}`, "another"));
  await expect(page.getByText(t("upload.other-file", { name }))).toBeVisible();
  const sent: number[] = [];
  page.on("request", (request) => {
    if (request.method() === "PATCH") sent.push(Number(request.headers()["upload-offset"]));
  });
  await again(path);
  await expect(line).toHaveText(t("upload.over", { count: 1 }), { timeout: within });
  // It went on: nothing that was there was sent again.
  expect(Math.min(...sent)).toBeGreaterThanOrEqual(there?.offset ?? size);
  const [file] = await children(who, who.root);
  expect(file).toMatchObject({ name, size });
  expect(await digestOnDrive(site, who, file?.id ?? "")).toBe(await digestOfFile(path));
  expect(await uploadsOf(who)).toEqual([]);
}

/** The sizes and names of what is in a folder. */
async function sizesIn(who: Person, node: string): Promise<string[]> {
  return (await children(who, node)).map(({ name, size }) => `${name} ${size}`).sort();
}

onFaces("en", (face) => {
  const { phone, press, t } = face;

  test("files are picked, sent, and listed as done", async ({ drive, person }) => {
    await openFiles(drive);
    const long = `${"a very long name of a file ".repeat(6)}项目计划书.docx`;
    const small = write(long, "hello");
    const large = write("film.bin", randomBytes(3 * MIB));
    if (phone) await pick(drive, face, [small, large]);
    else {
      const [chooser] = await Promise.all([
        drive.waitForEvent("filechooser"),
        drive.getByRole("button", { name: t("frame.upload"), exact: true }).click(),
      ]);
      await chooser.setFiles([small, large]);
    }
    const tray = trayOf(drive, face);
    const over = t("upload.over", { count: 2 });
    await expect(lineOf(drive, face)).toHaveText(over);
    await expect(tray.getByText(t("upload.state.done"))).toHaveCount(2);
    await expect(drive.getByRole("status").filter({ hasText: over })).toHaveCount(1);
    expect((await namesIn(person, person.root)).sort()).toEqual([long, "film.bin"]);
    await expectNoSideways(drive);
    await expectAccessible(drive);
    await press(tray.getByRole("button", { name: t("upload.do.collapse") }));
    await expect(tray.getByText("film.bin")).toBeHidden();
    await press(tray.getByRole("button", { name: t("upload.do.expand") }));
    await press(tray.getByRole("button", { name: t("upload.do.close") }));
    await expect(tray).toHaveCount(0);
  });

  test("an upload is paused, and goes on where it was", async ({ drive, person, site }) => {
    const path = write("long.bin", randomBytes(8 * MIB));
    await openFiles(drive);
    await slowly(drive, 2 * MIB);
    await pick(drive, face, path);
    const tray = trayOf(drive, face);
    await untilThere(person, 0);
    await press(tray.getByRole("button", { name: t("upload.do.pause", { name: "long.bin" }) }));
    const of = t("upload.of", { there: 0, files: 1 });
    await expect(lineOf(drive, face)).toHaveText(t("upload.paused", { of }));
    // The drive keeps what was on its way; then nothing comes any more.
    await slowly(drive, null);
    await press(tray.getByRole("button", { name: t("upload.do.resume-all") }));
    await expect(lineOf(drive, face)).toHaveText(t("upload.over", { count: 1 }));
    const [file] = await children(person, person.root);
    expect(await digestOnDrive(site, person, file?.id ?? "")).toBe(await digestOfFile(path));
  });

  test("what the drive has is not sent: one's own at once, another's by a proof", async ({
    drive,
    person,
    newPerson,
  }) => {
    const other = await newPerson("other");
    const [own, theirs, whole] = [300 * 1024, 2 * MIB + 7, 100 * 1024].map((size) =>
      randomBytes(size),
    );
    await putFile(person, person.root, "own.bin", own as Buffer);
    await putFile(other, other.root, "theirs.bin", theirs as Buffer);
    await putFile(other, other.root, "whole.bin", whole as Buffer);
    await openFiles(drive);
    const bodies: string[] = [];
    drive.on("request", (request) => {
      if (["PUT", "PATCH"].includes(request.method())) bodies.push(request.url());
    });
    await pick(drive, face, [
      write("a.bin", own as Buffer),
      write("b.bin", theirs as Buffer),
      write("c.bin", whole as Buffer),
    ]);
    await expect(trayOf(drive, face).getByText(t("upload.state.here"))).toHaveCount(3);
    expect(bodies).toEqual([]);
    expect(await sizesIn(person, person.root)).toEqual([
      `a.bin ${300 * 1024}`,
      `b.bin ${2 * MIB + 7}`,
      `c.bin ${100 * 1024}`,
      `own.bin ${300 * 1024}`,
    ]);
  });

  test("a name that is taken is asked about: keep both, replace, skip", async ({
    drive,
    person,
  }) => {
    const choices = { "a.txt": "keep-both", "b.txt": "replace", "c.bin": "skip" } as const;
    const names = Object.keys(choices) as (keyof typeof choices)[];
    for (const name of names) await putFile(person, person.root, name, `old ${name}`);
    await openFiles(drive);
    await pick(drive, face, [
      write("a.txt", "new a"),
      write("b.txt", "new b"),
      // Asked about before its bytes are sent.
      write("c.bin", randomBytes(2 * MIB)),
    ]);
    const dialog = drive.getByRole("dialog");
    const answer = (choice: string): Promise<void> =>
      press(dialog.getByRole("button", { name: t(`upload.conflict.${choice}`) }));
    const title = dialog.getByRole("heading");
    await expect(title).toBeVisible();
    await expectAccessible(drive);
    await expectNoSideways(drive);
    for (const _ of names) {
      await expect(title).toBeVisible();
      const text = (await title.textContent()) ?? "";
      const name = names.find((one) => text === t("upload.conflict.title", { name: one }));
      expect(name, text).toBeDefined();
      await answer(name ? choices[name] : "");
      await expect(drive.getByRole("heading", { name: text })).toHaveCount(0);
    }
    const tray = trayOf(drive, face);
    await expect(lineOf(drive, face)).toHaveText(t("upload.over", { count: 2 }));
    await expect(tray.getByText(t("upload.state.skipped"))).toBeVisible();
    await expectAccessible(drive);
    expect(await sizesIn(person, person.root)).toEqual([
      "a (2).txt 5",
      "a.txt 9",
      "b.txt 5",
      "c.bin 9",
    ]);
    // What was left out is asked about again when it is tried again.
    await press(tray.getByRole("button", { name: t("upload.do.retry", { name: "c.bin" }) }));
    await answer("replace");
    await expect(lineOf(drive, face)).toHaveText(t("upload.over", { count: 3 }));
  });

  test("an answer for all that follow is asked for once", async ({ drive, person }) => {
    const names = ["a.txt", "b.txt", "c.txt", "d.txt", "e.txt"];
    for (const name of names) await putFile(person, person.root, name, "old");
    await openFiles(drive);
    await pick(
      drive,
      face,
      names.map((name) => write(name, "newer")),
    );
    await press(drive.getByRole("switch", { name: t("upload.conflict.all") }));
    await press(drive.getByRole("button", { name: t("upload.conflict.replace") }));
    await expect(lineOf(drive, face)).toHaveText(t("upload.over", { count: 5 }));
    expect(await sizesIn(person, person.root)).toEqual(names.map((name) => `${name} 5`));
  });

  test("without room the queue stops and says what to do; with room it goes on", async ({
    drive,
    office,
    person,
  }) => {
    const me = (await (await person.api.get("/api/v1/me")).json()) as { id: string };
    const setQuota = async (quota: number): Promise<void> => {
      const answer = await office.patch(`/api/v1/admin/accounts/${me.id}`, { data: { quota } });
      expect(answer.ok(), await answer.text()).toBe(true);
    };
    await setQuota(MIB);
    await openFiles(drive);
    await pick(
      drive,
      face,
      [2, 3, 2, 2, 2].map((size, at) => write(`${at}.bin`, randomBytes(size * MIB))),
    );
    const tray = trayOf(drive, face);
    await expect(tray.getByText(t("upload.quota.text"))).toBeVisible();
    const of = t("upload.of", { there: 0, files: 5 });
    await expect(lineOf(drive, face)).toHaveText(t("upload.stopped", { of }));
    await expectAccessible(drive);
    await expectNoSideways(drive);
    await setQuota(100 * MIB);
    await press(tray.getByRole("button", { name: t("upload.quota.action"), exact: true }));
    await expect(lineOf(drive, face)).toHaveText(t("upload.over", { count: 5 }));
    await expect(tray.getByText(t("upload.quota.text"))).toHaveCount(0);
  });

  test("a cancelled upload is gone from the drive, and its room is free again", async ({
    drive,
    person,
  }) => {
    await openFiles(drive);
    await slowly(drive, MIB);
    await pick(drive, face, write("never.bin", randomBytes(8 * MIB)));
    await untilThere(person, 0);
    const tray = trayOf(drive, face);
    await press(tray.getByRole("button", { name: t("upload.do.cancel", { name: "never.bin" }) }));
    await expect(tray).toHaveCount(0);
    await expect(async () => {
      expect(await uploadsOf(person)).toEqual([]);
      const usage = await (await person.api.get("/api/v1/usage")).json();
      expect(usage).toMatchObject({ reserved: 0, used: 0 });
    }).toPass();
    expect(await children(person, person.root)).toEqual([]);
  });
});

/** Lets go of things of the file system above the page, as a file manager does: Playwright itself can't. */
async function dropFromOutside(page: Page, ...files: string[]): Promise<void> {
  const browser = await page.context().newCDPSession(page);
  const data = { items: [], files, dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"] as const) {
    await browser.send("Input.dispatchDragEvent", { type, x: 600, y: 400, data });
  }
  await browser.detach();
}

const WAYS = {
  picked: async (page: Page, top: string): Promise<void> => {
    const [chooser] = await Promise.all([
      page.waitForEvent("filechooser"),
      page.keyboard.press("Shift+U"),
    ]);
    await chooser.setFiles(top);
  },
  dropped: dropFromOutside,
};

onDesktops((face) => {
  const { locale, press, t } = face;

  test("what the end of a session held back goes on after the next sign-in", async ({
    drive,
    person,
  }) => {
    await openFiles(drive);
    // Small ones have gone as a whole before it is known that nobody is signed in.
    await slowly(drive, 40 * 1024);
    const names = Array.from({ length: 8 }, (_, at) => `${at}.bin`);
    await pick(
      drive,
      face,
      names.map((name) => write(name, randomBytes(40 * 1024))),
    );
    await expect(lineOf(drive, face)).toBeVisible();
    await person.api.delete("/api/v1/sessions");
    await expect(drive.getByRole("heading", { name: t("people.sign-in.title") })).toBeVisible();
    await slowly(drive, null);
    await drive.getByLabel(t("people.user-name"), { exact: true }).fill(person.name);
    const password = drive.getByLabel(t("people.password"), { exact: true });
    await password.fill(person.password);
    await password.press("Enter");
    await press(trayOf(drive, face).getByRole("button", { name: t("upload.do.resume-all") }));
    await expect(lineOf(drive, face)).toHaveText(t("upload.over", { count: 8 }));
    // All sign-ins have ended, but this one.
    const answer = await drive.request.get("/api/v1/nodes/root/children");
    const { rows } = (await answer.json()) as { rows: Listed[] };
    expect(rows.map(({ name }) => name).sort()).toEqual(names);
  });

  test("what is picked before its folder is shown goes there all the same", async ({
    drive,
    person,
  }) => {
    const inside = await makeFolder(person, person.root, "slow");
    let show = (): void => {};
    const shown = new Promise<void>((resolve) => {
      show = resolve;
    });
    await drive.route(`**/api/v1/nodes/${inside.id}/path`, async (route) => {
      await shown;
      await route.continue();
    });
    drive.on("filechooser", () => {});
    await drive.goto(`/files/${inside.id}`);
    await expect(drive.getByRole("main")).toBeVisible();
    await expect(drive.locator("[data-drop-zone]")).toBeAttached();
    await pick(drive, face, write("early.txt", "early"));
    await expect(lineOf(drive, face)).toHaveText(t("upload.over", { count: 1 }));
    await expect(trayOf(drive, face).getByRole("heading", { level: 3 })).toContainText("slow");
    show();
    expect(await namesIn(person, inside.id)).toEqual(["early.txt"]);
  });

  test("when all is cancelled no folder is made any more", async ({ drive }) => {
    const top = join(folder, "tree");
    for (let at = 0; at < 60; at += 1) {
      mkdirSync(join(top, `folder ${at}`), { recursive: true });
      writeFileSync(join(top, `folder ${at}`, "a.bin"), randomBytes(40 * 1024));
    }
    await openFiles(drive);
    let make = (): void => {};
    const may = new Promise<void>((resolve) => {
      make = resolve;
    });
    await drive.route("**/api/v1/nodes/*/children", async (route) => {
      if (route.request().method() === "POST") await may;
      await route.continue();
    });
    let asked = 0;
    drive.on("request", (request) => {
      if (request.method() === "POST" && request.url().endsWith("/children")) asked += 1;
    });
    const first = drive.waitForResponse((answer) => answer.url().endsWith("/children"));
    await WAYS.picked(drive, top);
    await expect(lineOf(drive, face)).toBeVisible();
    await press(trayOf(drive, face).getByRole("button", { name: t("upload.do.cancel-all") }));
    await press(
      drive.getByRole("dialog").getByRole("button", { name: t("upload.cancel-all.action") }),
    );
    await expect(trayOf(drive, face)).toHaveCount(0);
    make();
    await (await first).finished();
    // Whatever follows from that answer is asked for before this.
    await drive.evaluate(() => fetch("/healthz").then((answer) => answer.text()));
    // The one above, and those of the three that ran.
    expect(asked).toBeLessThanOrEqual(4);
  });

  test("a file that may have changed since another browser began it is sent from its beginning", async ({
    drive,
    person,
    site,
  }) => {
    const [begun, now] = [randomBytes(2 * MIB), randomBytes(2 * MIB)];
    const tus = { "tus-resumable": "1.0.0" };
    const base64 = (text: string): string => Buffer.from(text).toString("base64");
    const made = await person.api.post("/api/v1/uploads", {
      headers: {
        ...tus,
        "upload-length": String(begun.length),
        "upload-metadata": `filename ${base64("disk.img")},parent ${base64(person.root)}`,
      },
    });
    expect(made.status()).toBe(201);
    const sent = await person.api.patch(made.headers().location ?? "", {
      headers: {
        ...tus,
        "upload-offset": "0",
        "content-type": "application/offset+octet-stream",
      },
      data: begun.subarray(0, MIB),
    });
    expect(sent.status()).toBe(204);
    const path = write("disk.img", now);
    await openFiles(drive);
    await expect(lineOf(drive, face)).toHaveText(t("upload.lost", { count: 1 }));
    const [chooser] = await Promise.all([
      drive.waitForEvent("filechooser"),
      press(trayOf(drive, face).getByRole("button", { name: t("upload.do.choose-short") })),
    ]);
    await chooser.setFiles(path);
    await expect(lineOf(drive, face)).toHaveText(t("upload.over", { count: 1 }));
    const [file] = await children(person, person.root);
    expect(await digestOnDrive(site, person, file?.id ?? "")).toBe(await digestOfFile(path));
    await expect.poll(() => uploadsOf(person)).toEqual([]);
  });

  for (const [way, bring] of Object.entries(WAYS)) {
    // Each way once with many: the words are the same.
    const count = (way === "picked") === (locale === "en") ? 1_000 : 100;

    test(`a folder of ${count} files in a tree that is ${way} is there afterwards, each folder once`, async ({
      drive,
      person,
    }) => {
      test.setTimeout(180_000);
      const top = join(folder, "项目 tree");
      const expected: string[] = [];
      for (let at = 0; at < count; at += 1) {
        const path = ["a", "b", "c"].slice(0, at % 4).concat(`d${at % 10}`);
        mkdirSync(join(top, ...path), { recursive: true });
        writeFileSync(join(top, ...path, `${at}.txt`), `file ${at}`);
        expected.push([...path, `${at}.txt`].join("/"));
      }
      // One that is there is entered.
      const there = await makeFolder(person, person.root, "项目 tree");
      await openFiles(drive);
      await bring(drive, top);
      await expect(lineOf(drive, face)).toHaveText(t("upload.over", { count }), {
        timeout: 150_000,
      });
      const found: string[] = [];
      const walk = async (node: string, path: string): Promise<void> => {
        const rows = await children(person, node);
        expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length);
        for (const row of rows) {
          if (row.kind === "folder") await walk(row.id, `${path}${row.name}/`);
          else found.push(`${path}${row.name}`);
        }
      };
      expect(await children(person, person.root)).toMatchObject([
        { id: there.id, name: "项目 tree" },
      ]);
      await walk(there.id, "");
      expect(found.sort()).toEqual(expected.sort());
      // Only what can be seen is drawn.
      expect(await trayOf(drive, face).getByRole("listitem").count()).toBeLessThan(60);
    });
  }

  test("files are dropped anywhere in the window, which says where they go", async ({
    drive,
    person,
  }) => {
    await openFiles(drive);
    const dropped = await drive.evaluateHandle(() => {
      const data = new DataTransfer();
      data.items.add(new File(["dropped"], "dropped.txt"));
      return data;
    });
    await drive.dispatchEvent("body", "dragover", { dataTransfer: dropped });
    await expect(drive.getByText(t("upload.drop.title"))).toBeVisible();
    await expect(
      drive.getByText(t("upload.drop.into", { name: t("upload.group.root") })),
    ).toBeVisible();
    await drive.dispatchEvent("body", "drop", { dataTransfer: dropped });
    await expect(drive.getByText(t("upload.drop.title"))).toHaveCount(0);
    await expect(lineOf(drive, face)).toHaveText(t("upload.over", { count: 1 }));
    expect(await namesIn(person, person.root)).toEqual(["dropped.txt"]);
  });

  test("uploads that begin behind a dialog are behind it for screen readers, too", async ({
    drive,
  }) => {
    await openFiles(drive);
    await expect(drive.getByRole("heading", { name: t("files.empty.title") })).toBeVisible();
    const [chooser] = await Promise.all([
      drive.waitForEvent("filechooser"),
      drive.keyboard.press("u"),
    ]);
    await drive.keyboard.press("n");
    const dialog = drive.getByRole("dialog");
    await expect(dialog).toBeVisible();
    await chooser.setFiles(write("behind.txt", "behind"));
    await expect(drive.getByText(t("upload.over", { count: 1 }))).not.toHaveCount(0);
    await expect(trayOf(drive, face)).toHaveCount(0);
    await expectAccessible(drive);
    await drive.keyboard.press("Escape");
    await expect(dialog).toHaveCount(0);
    await expect(lineOf(drive, face)).toHaveText(t("upload.over", { count: 1 }));
  });

  test("a picture that is pasted is called after the time", async ({ drive, person }) => {
    await openFiles(drive);
    await drive.evaluate(() => {
      const data = new DataTransfer();
      data.items.add(new File(["picture"], "image.png", { type: "image/png" }));
      document.body.dispatchEvent(
        new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }),
      );
    });
    await expect(lineOf(drive, face)).toHaveText(t("upload.over", { count: 1 }));
    const [name = ""] = await namesIn(person, person.root);
    const time = /\d{4}-\d\d-\d\d \d\d\.\d\d\.\d\d/.exec(name)?.[0] ?? "no time";
    expect(name).toBe(`${t("upload.pasted", { time })}.png`);
  });
});

test("24 MB arrive whole though the drive is killed and the page is loaded anew, in both languages and on a phone", async ({
  browser,
  newPerson,
  site,
}) => {
  test.setTimeout(300_000);
  const size = 24 * MIB;
  const senders: Sender[] = [];
  for (const [at, face] of facesWith("zh-CN").entries()) {
    const context = await browser.newContext({ baseURL: site.url, ...browserOf(face) });
    const page = await context.newPage();
    const who = await newPerson();
    await signIn(page, who);
    await openFiles(page);
    await slowly(page, 2 * MIB);
    senders.push({ face, page, who, path: write(`large-${at}.bin`, randomBytes(size)), size });
  }
  await interruptTwice(site, senders, 120_000);
  for (const { page } of senders) await page.context().close();
});

test("1 GB arrives whole though the drive is killed and the page is loaded anew", async ({
  drive,
  person,
  site,
}) => {
  test.setTimeout(1_800_000);
  const path = join(folder, "huge.bin");
  const size = 1024 * MIB;
  const handle = openSync(path, "w");
  // Holes, with something else in each 8 MB, so that no two pieces are equal.
  for (let at = 0; at < size; at += 8 * MIB) writeSync(handle, randomBytes(4096), 0, 4096, at);
  closeSync(handle);
  truncateSync(path, size);
  await openFiles(drive);
  await slowly(drive, 60 * MIB);
  const face = faceOf("en");
  await interruptTwice(site, [{ face, page: drive, who: person, path, size }], 600_000);
});
