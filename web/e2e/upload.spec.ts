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
import enCommon from "../src/i18n/en/common.json" with { type: "json" };
import enFrame from "../src/i18n/en/frame.json" with { type: "json" };
import enUpload from "../src/i18n/en/upload.json" with { type: "json" };
import zhCommon from "../src/i18n/zh-CN/common.json" with { type: "json" };
import zhFrame from "../src/i18n/zh-CN/frame.json" with { type: "json" };
import zhUpload from "../src/i18n/zh-CN/upload.json" with { type: "json" };
import {
  choose,
  expect,
  expectAccessible,
  LANGUAGES,
  makeFolder,
  type Person,
  PHONE,
  putFile,
  type Site,
  test,
} from "./kit";

const TEXTS = {
  en: { upload: enUpload, frame: enFrame, common: enCommon },
  "zh-CN": { upload: zhUpload, frame: zhFrame, common: zhCommon },
};
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

/** A text of one language, with what stands in it. */
function filled(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (_, key: string) => String(values[key]));
}

/** The form of a text for several. */
function several(text: string, count: number): string {
  return filled(text.split(" | ")[2] ?? "", { count });
}

function trayOf(page: Page, locale: "en" | "zh-CN" = "en"): Locator {
  return page.getByRole("region", { name: TEXTS[locale].upload.tray });
}

/** Picks with the key that does it: files, or a whole folder. */
async function pick(page: Page, what: string | string[], key = "u"): Promise<void> {
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.keyboard.press(key)]);
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

for (const locale of LANGUAGES) {
  const { upload, frame } = TEXTS[locale];

  test(`files are picked, sent, and listed as done (${locale})`, async ({ drive, person }) => {
    await choose(drive, { locale });
    await openFiles(drive);
    const small = write("notes 笔记.txt", "hello");
    const large = write("film.bin", randomBytes(3 * MIB));
    const [chooser] = await Promise.all([
      drive.waitForEvent("filechooser"),
      drive.getByRole("button", { name: frame.upload, exact: true }).click(),
    ]);
    await chooser.setFiles([small, large]);
    const tray = trayOf(drive, locale);
    await expect(tray.getByRole("heading", { level: 2 })).toHaveText(several(upload.over, 2));
    await expect(tray.getByText(upload.state.done)).toHaveCount(2);
    await expect(
      drive.getByRole("status").filter({ hasText: several(upload.over, 2) }),
    ).toHaveCount(1);
    expect((await namesIn(person, person.root)).sort()).toEqual(["film.bin", "notes 笔记.txt"]);
    await tray.getByRole("button", { name: upload.do.collapse }).click();
    await expect(tray.getByText("film.bin")).toBeHidden();
    await tray.getByRole("button", { name: upload.do.expand }).click();
    await tray.getByRole("button", { name: upload.do.close }).click();
    await expect(tray).toHaveCount(0);
  });

  for (const theme of ["light", "dark"] as const) {
    test(`nobody is kept from the tray and the question about names (${locale}, ${theme})`, async ({
      drive,
      person,
    }) => {
      await choose(drive, { locale, theme });
      await putFile(person, person.root, "taken.txt", "old");
      await openFiles(drive);
      await pick(drive, [write("taken.txt", "new"), write("free.txt", "free")]);
      await expect(drive.getByRole("dialog")).toBeVisible();
      await expectAccessible(drive);
      await drive.getByRole("button", { name: upload.conflict.skip }).click();
      const tray = trayOf(drive, locale);
      await expect(tray.getByText(upload.state.skipped)).toBeVisible();
      await expect(tray.getByText(upload.state.done)).toBeVisible();
      await expectAccessible(drive);
    });
  }
}

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
  picked: (page: Page, top: string) => pick(page, top, "Shift+U"),
  dropped: (page: Page, top: string) => dropFromOutside(page, top),
};

for (const [way, bring] of Object.entries(WAYS)) {
  test(`a folder of a thousand files in a tree that is ${way} is there afterwards, each folder once`, async ({
    drive,
    person,
  }) => {
    test.setTimeout(180_000);
    const top = join(folder, "项目 tree");
    const expected: string[] = [];
    for (let at = 0; at < 1_000; at += 1) {
      const path = ["a", "b", "c"].slice(0, at % 4).concat(`d${at % 10}`);
      mkdirSync(join(top, ...path), { recursive: true });
      writeFileSync(join(top, ...path, `${at}.txt`), `file ${at}`);
      expected.push([...path, `${at}.txt`].join("/"));
    }
    // One that is there is entered.
    const there = await makeFolder(person, person.root, "项目 tree");
    await openFiles(drive);
    await bring(drive, top);
    const tray = trayOf(drive);
    await expect(tray.getByRole("heading", { level: 2 })).toHaveText(
      several(enUpload.over, 1_000),
      { timeout: 150_000 },
    );
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
    expect(await tray.getByRole("listitem").count()).toBeLessThan(60);
  });
}

/** Sends a file, while the drive is killed and the page is loaded anew. */
async function interruptTwice(
  drive: Page,
  person: Person,
  site: Site,
  path: string,
  size: number,
  within: number,
): Promise<void> {
  const tray = trayOf(drive);
  await pick(drive, path);
  await untilThere(person, size * 0.15, within);
  await site.kill();
  await expect(tray.getByRole("heading", { level: 2 })).toHaveText(enUpload.away);
  await site.restart();
  const before = (await uploadsOf(person))[0]?.offset ?? 0;
  expect(before).toBeGreaterThan(size * 0.15);
  await untilThere(person, Math.max(before, size * 0.4), within);

  const asked: string[] = [];
  drive.once("dialog", async (dialog) => {
    asked.push(dialog.type());
    await dialog.accept();
  });
  await drive.reload();
  expect(asked).toEqual(["beforeunload"]);
  const name = path.split("/").pop() ?? "";
  await expect(tray.getByRole("heading", { level: 2 })).toHaveText("1 upload to go on with");
  const [there] = await uploadsOf(person);
  const again = async (file: string): Promise<void> => {
    const [chooser] = await Promise.all([
      drive.waitForEvent("filechooser"),
      tray.getByRole("button", { name: enUpload.do["choose-short"] }).click(),
    ]);
    await chooser.setFiles(file);
  };
  await again(write("another.bin", "another"));
  await expect(drive.getByText(filled(enUpload["other-file"], { name }))).toBeVisible();
  const sent: number[] = [];
  drive.on("request", (request) => {
    if (request.method() === "PATCH") sent.push(Number(request.headers()["upload-offset"]));
  });
  await again(path);
  await expect(tray.getByRole("heading", { level: 2 })).toHaveText("1 file uploaded", {
    timeout: within,
  });
  // It went on: nothing that was there was sent again.
  expect(Math.min(...sent)).toBeGreaterThanOrEqual(there?.offset ?? size);
  const [file] = await children(person, person.root);
  expect(file).toMatchObject({ name, size });
  expect(await digestOnDrive(site, person, file?.id ?? "")).toBe(await digestOfFile(path));
  expect(await uploadsOf(person)).toEqual([]);
}

test("64 MB arrive whole though the drive is killed and the page is loaded anew", async ({
  drive,
  person,
  site,
}) => {
  test.setTimeout(300_000);
  const path = write("large.bin", randomBytes(64 * MIB));
  await openFiles(drive);
  await slowly(drive, 6 * MIB);
  await interruptTwice(drive, person, site, path, 64 * MIB, 120_000);
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
  await interruptTwice(drive, person, site, path, size, 600_000);
});

test("an upload is paused, and goes on where it was", async ({ drive, person, site }) => {
  const path = write("long.bin", randomBytes(8 * MIB));
  await openFiles(drive);
  await slowly(drive, 2 * MIB);
  await pick(drive, path);
  const tray = trayOf(drive);
  await untilThere(person, 0);
  await tray.getByRole("button", { name: filled(enUpload.do.pause, { name: "long.bin" }) }).click();
  await expect(tray.getByRole("heading", { level: 2 })).toHaveText("Paused at 0 of 1");
  // The drive keeps what was on its way; then nothing comes any more.
  await slowly(drive, null);
  await tray.getByRole("button", { name: enUpload.do["resume-all"] }).click();
  await expect(tray.getByRole("heading", { level: 2 })).toHaveText("1 file uploaded");
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
  await pick(drive, [
    write("a.bin", own as Buffer),
    write("b.bin", theirs as Buffer),
    write("c.bin", whole as Buffer),
  ]);
  const tray = trayOf(drive);
  await expect(tray.getByText(enUpload.state.here)).toHaveCount(3);
  expect(bodies).toEqual([]);
  const rows = await children(person, person.root);
  expect(rows.map(({ name, size }) => `${name} ${size}`).sort()).toEqual([
    `a.bin ${300 * 1024}`,
    `b.bin ${2 * MIB + 7}`,
    `c.bin ${100 * 1024}`,
    `own.bin ${300 * 1024}`,
  ]);
});

test("a name that is taken is asked about: keep both, replace, skip", async ({ drive, person }) => {
  for (const name of ["a.txt", "b.txt", "c.bin"]) {
    await putFile(person, person.root, name, `old ${name}`);
  }
  await openFiles(drive);
  await pick(drive, [
    write("a.txt", "new a"),
    write("b.txt", "new b"),
    // Asked about before its bytes are sent.
    write("c.bin", randomBytes(2 * MIB)),
  ]);
  const choices = { "a.txt": "keep-both", "b.txt": "replace", "c.bin": "skip" } as const;
  for (let asked = 0; asked < 3; asked += 1) {
    const title = drive.getByRole("dialog").getByRole("heading");
    await expect(title).toBeVisible();
    const name = ((await title.textContent()) ?? "").split(" ")[0] as keyof typeof choices;
    await drive.getByRole("button", { name: enUpload.conflict[choices[name]] }).click();
    await expect(
      drive.getByRole("heading", { name: filled(enUpload.conflict.title, { name }) }),
    ).toHaveCount(0);
  }
  const tray = trayOf(drive);
  await expect(tray.getByRole("heading", { level: 2 })).toHaveText("2 files uploaded");
  const rows = await children(person, person.root);
  expect(rows.map(({ name, size }) => `${name} ${size}`).sort()).toEqual([
    "a (2).txt 5",
    "a.txt 9",
    "b.txt 5",
    "c.bin 9",
  ]);
  // What was left out is asked about again when it is tried again.
  await tray.getByRole("button", { name: filled(enUpload.do.retry, { name: "c.bin" }) }).click();
  await drive.getByRole("button", { name: enUpload.conflict.replace }).click();
  await expect(tray.getByRole("heading", { level: 2 })).toHaveText("3 files uploaded");
});

test("an answer for all that follow is asked for once", async ({ drive, person }) => {
  const names = ["a.txt", "b.txt", "c.txt", "d.txt", "e.txt"];
  for (const name of names) await putFile(person, person.root, name, "old");
  await openFiles(drive);
  await pick(
    drive,
    names.map((name) => write(name, "newer")),
  );
  await drive.getByRole("switch", { name: enUpload.conflict.all }).click();
  await drive.getByRole("button", { name: enUpload.conflict.replace }).click();
  await expect(trayOf(drive).getByRole("heading", { level: 2 })).toHaveText("5 files uploaded");
  const rows = await children(person, person.root);
  expect(rows.map(({ name, size }) => `${name} ${size}`)).toEqual(names.map((name) => `${name} 5`));
});

test("without room the queue stops and says what to do; with room it goes on", async ({
  drive,
  person,
  playwright,
  site,
}) => {
  const visitor = await playwright.request.newContext({ baseURL: site.drive });
  const { name, password } = site.admin;
  const signed = await visitor.post("/api/v1/session", {
    data: { user_name: name, password, hand: "token" },
  });
  const { token } = (await signed.json()) as { token: string };
  const me = (await (await person.api.get("/api/v1/me")).json()) as { id: string };
  const setQuota = async (quota: number): Promise<void> => {
    const answer = await visitor.patch(`/api/v1/admin/accounts/${me.id}`, {
      data: { quota },
      headers: { authorization: `Bearer ${token}` },
    });
    expect(answer.ok(), await answer.text()).toBe(true);
  };
  await setQuota(MIB);
  await openFiles(drive);
  await pick(drive, [
    write("1.bin", randomBytes(2 * MIB)),
    write("2.bin", randomBytes(3 * MIB)),
    write("3.bin", randomBytes(2 * MIB)),
    write("4.bin", randomBytes(2 * MIB)),
    write("5.bin", randomBytes(2 * MIB)),
  ]);
  const tray = trayOf(drive);
  await expect(tray.getByText(enUpload.quota.text)).toBeVisible();
  await expect(tray.getByRole("heading", { level: 2 })).toHaveText("Stopped at 0 of 5");
  await expectAccessible(drive);
  await setQuota(100 * MIB);
  await tray.getByRole("button", { name: enUpload.quota.action, exact: true }).click();
  await expect(tray.getByRole("heading", { level: 2 })).toHaveText("5 files uploaded");
  await expect(tray.getByText(enUpload.quota.text)).toHaveCount(0);
  await visitor.dispose();
});

test("a cancelled upload is gone from the drive, and its room is free again", async ({
  drive,
  person,
}) => {
  await openFiles(drive);
  await slowly(drive, MIB);
  await pick(drive, write("never.bin", randomBytes(8 * MIB)));
  await untilThere(person, 0);
  const tray = trayOf(drive);
  await tray
    .getByRole("button", { name: filled(enUpload.do.cancel, { name: "never.bin" }) })
    .click();
  await expect(tray).toHaveCount(0);
  await expect(async () => {
    expect(await uploadsOf(person)).toEqual([]);
    const usage = await (await person.api.get("/api/v1/usage")).json();
    expect(usage).toMatchObject({ reserved: 0, used: 0 });
  }).toPass();
  expect(await children(person, person.root)).toEqual([]);
});

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
  await expect(drive.getByText(enUpload.drop.title)).toBeVisible();
  await expect(
    drive.getByText(filled(enUpload.drop.into, { name: enUpload.group.root })),
  ).toBeVisible();
  await drive.dispatchEvent("body", "drop", { dataTransfer: dropped });
  await expect(drive.getByText(enUpload.drop.title)).toHaveCount(0);
  await expect(trayOf(drive).getByRole("heading", { level: 2 })).toHaveText("1 file uploaded");
  expect(await namesIn(person, person.root)).toEqual(["dropped.txt"]);
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
  await expect(trayOf(drive).getByRole("heading", { level: 2 })).toHaveText("1 file uploaded");
  const [name] = await namesIn(person, person.root);
  expect(name).toMatch(/^Pasted \d{4}-\d\d-\d\d \d\d\.\d\d\.\d\d\.png$/);
});

for (const locale of LANGUAGES) {
  test(`the tray fits a phone (${locale})`, async ({ drive }) => {
    await choose(drive, { locale });
    await drive.setViewportSize(PHONE);
    await openFiles(drive);
    const name = `${"a very long name of a file ".repeat(6)}项目计划书.docx`;
    await pick(drive, [write(name, "x"), write("b", "y")]);
    const tray = trayOf(drive, locale);
    await expect(tray.getByRole("heading", { level: 2 })).toHaveText(
      several(TEXTS[locale].upload.over, 2),
    );
    const wide = await drive.evaluate(() => document.documentElement.scrollWidth);
    expect(wide).toBe(PHONE.width);
    await expectAccessible(drive);
  });
}
