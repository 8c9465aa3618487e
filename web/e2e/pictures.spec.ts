/** Links of pictures. A phone pastes no pictures: its browsers give a page none. */
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import {
  browserOf,
  choose,
  expect,
  expectAccessible,
  expectNoSideways,
  makeFolder,
  onDesktops,
  onFaces,
  type Person,
  putFile,
  signIn,
  test,
} from "./kit";
import { png } from "./made";
import { texts } from "./texts";

async function add(page: Page, ...files: { name: string; buffer: Buffer }[]): Promise<void> {
  await page
    .locator("input[type=file]")
    .setInputFiles(files.map((file) => ({ mimeType: "image/png", ...file })));
}

async function shared(
  who: Person,
): Promise<{ token: string; node: { id: string; name: string } }[]> {
  const answer = await who.api.get("/api/v1/shares?kind=picture");
  return (
    (await answer.json()) as { rows: { token: string; node: { id: string; name: string } }[] }
  ).rows;
}

onFaces("en", (face) => {
  const { phone, press, t } = face;
  test("a picture gets a link that strangers see it by, until it is removed", async ({
    drive,
    person,
    browser,
    site,
  }) => {
    await drive.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await drive.goto("/pictures");
    await expect(drive.getByRole("heading", { name: t("pictures.empty.title") })).toBeVisible();
    await expectAccessible(drive);

    await add(drive, { name: "cat [1].png", buffer: png(30, 20) });
    const card = drive.getByRole("listitem").filter({ hasText: "cat [1].png" });
    await expect(card.getByRole("checkbox")).toBeChecked();
    await press(drive.getByRole("button", { name: t("pictures.copy-all", { form: "Markdown" }) }));
    await expect(drive.getByRole("button", { name: t("common.copied") })).toBeVisible();
    const [share] = await shared(person);
    const url = `${site.url}/api/v1/public/shares/${share?.token}/nodes/${share?.node.id}/content`;
    const clipboard = await drive.evaluate(() => navigator.clipboard.readText());
    expect(clipboard).toBe(`![cat \\[1\\].png](${url})`);

    const stranger = await (await browser.newContext(browserOf(face))).newPage();
    await stranger.goto(`${site.url}/sign-in`);
    const seen = (address: string): Promise<number> =>
      stranger.evaluate(
        (src) =>
          new Promise<number>((resolve) => {
            const image = new Image();
            image.onload = () => resolve(image.naturalWidth);
            image.onerror = () => resolve(0);
            image.src = src;
          }),
        address,
      );
    expect(await seen(url)).toBe(30);

    await press(card.getByRole("button", { name: t("pictures.more", { name: "cat [1].png" }) }));
    await press(drive.getByRole("menuitem", { name: t("pictures.remove.action") }));
    await press(
      drive.getByRole("dialog").getByRole("button", { name: t("pictures.remove.action") }),
    );
    await expect(drive.getByRole("heading", { name: t("pictures.empty.title") })).toBeVisible();
    expect(await seen(`${url}?again`)).toBe(0);
    expect(await shared(person)).toEqual([]);
    // The picture stays where it was put.
    const kept = await person.api.get(`/api/v1/nodes/${share?.node.id}`);
    expect(((await kept.json()) as { name: string }).name).toBe("cat [1].png");
    await stranger.context().close();
  });

  test("pictures are kept in one folder, which is made once, under names of their own", async ({
    drive,
    person,
  }) => {
    // It may have been made in the other language.
    const folder = await makeFolder(person, person.root, "Pictures");
    await drive.goto("/pictures");
    await add(drive, { name: "a.png", buffer: png(8, 8) }, { name: "b.png", buffer: png(8, 8) });
    await expect(drive.getByRole("checkbox")).toHaveCount(2);
    await add(drive, { name: "a.png", buffer: png(9, 9) });
    await expect(
      drive.getByRole("checkbox", { name: t("pictures.select", { name: "a (2).png" }) }),
    ).toBeVisible();
    const answer = await person.api.get(`/api/v1/nodes/${folder.id}/children`);
    const names = ((await answer.json()) as { rows: { name: string }[] }).rows.map(
      (row) => row.name,
    );
    expect(names.sort()).toEqual(["a (2).png", "a.png", "b.png"]);
    // What is no picture becomes none.
    await add(drive, { name: "drawing.svg", buffer: Buffer.from("<svg/>") });
    await expect(drive.getByText(t("pictures.refused", { name: "drawing.svg" }))).toBeVisible();
    await expect(drive.getByRole("checkbox")).toHaveCount(3);
  });

  test("every form is copied, of one picture and of several", async ({ drive, person }) => {
    await drive.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    for (const name of ["one.png", "two.png"]) {
      const file = await putFile(person, person.root, name, png(10, 10));
      const made = await person.api.post(`/api/v1/nodes/${file.id}/shares`, {
        data: { kind: "picture", expires_at: null },
      });
      expect(made.status()).toBe(201);
    }
    await drive.goto("/pictures");
    const read = (): Promise<string> => drive.evaluate(() => navigator.clipboard.readText());
    for (const [form, wanted] of [
      ["URL", /^http\S+\/content$/],
      ["Markdown", /^!\[one\.png\]\(http\S+\/content\)$/],
      ["HTML", /^<img src="http\S+\/content" alt="one\.png">$/],
      ["BBCode", /^\[img\]http\S+\/content\[\/img\]$/],
    ] as const) {
      await press(drive.getByRole("button", { name: t("pictures.more", { name: "one.png" }) }));
      await press(drive.getByRole("menuitem", { name: t("pictures.copy-as", { form }) }));
      await expect(drive.getByText(t("pictures.copied-as", { form })).first()).toBeVisible();
      expect(await read()).toMatch(wanted);
    }
    for (const name of ["one.png", "two.png"]) {
      await press(drive.getByRole("checkbox", { name: t("pictures.select", { name }) }));
    }
    await drive.getByRole("combobox", { name: t("pictures.form.label") }).selectOption("url");
    await press(drive.getByRole("button", { name: t("pictures.copy-all", { form: "URL" }) }));
    await expect.poll(read).toMatch(/^http\S+\/content\nhttp\S+\/content$/);
    // The form is remembered.
    await drive.reload();
    await expect(drive.getByRole("combobox", { name: t("pictures.form.label") })).toHaveValue(
      "url",
    );
  });

  test("a picture that could not be sent goes on by itself, and gets its link", async ({
    drive,
  }) => {
    await drive.goto("/pictures");
    const address = "**/files/*";
    await drive.route(address, (route) =>
      route.request().method() === "PUT" ? route.abort() : route.continue(),
    );
    await add(drive, { name: "late.png", buffer: png(10, 10) });
    const tray = drive.getByRole("region", { name: t("upload.tray") });
    await expect(tray.getByRole("heading", { level: 2 })).toHaveText(t("upload.away"));
    await expectAccessible(drive);
    await drive.unroute(address);
    await expect(
      drive.getByRole("checkbox", { name: t("pictures.select", { name: "late.png" }) }),
    ).toBeVisible();
    await expect(tray.getByText(t("upload.state.done"))).toBeVisible();
  });

  test("a picture whose link was not made is not sent again", async ({ drive, person }) => {
    await drive.goto("/pictures");
    const sent: string[] = [];
    drive.on("request", (request) => {
      if (request.method() === "PUT") sent.push(request.url());
    });
    await drive.route("**/shares", (route) =>
      route.fulfill({
        status: 409,
        contentType: "application/problem+json",
        json: { code: "too-many-of-these", status: 409, title: "", type: "", detail: "" },
      }),
    );
    await add(drive, { name: "a.png", buffer: png(10, 10) });
    const tray = drive.getByRole("region", { name: t("upload.tray") });
    const again = tray.getByRole("button", { name: t("upload.do.retry", { name: "a.png" }) });
    await expect(again).toBeVisible();
    expect(await shared(person)).toEqual([]);
    await drive.unroute("**/shares");
    await press(again);
    await expect(
      drive.getByRole("checkbox", { name: t("pictures.select", { name: "a.png" }) }),
    ).toBeVisible();
    expect(sent).toHaveLength(1);
    expect(await shared(person)).toHaveLength(1);
  });

  test("a large picture goes on where it was after the page was loaded anew, and gets its link", async ({
    drive,
    person,
  }) => {
    await drive.goto("/pictures");
    // Bytes after its end make a picture large, and change nothing of it.
    const buffer = Buffer.concat([png(40, 30), randomBytes(24 * 1024 * 1024)]);
    const picture = join(test.info().outputDir, "large.png");
    mkdirSync(test.info().outputDir, { recursive: true });
    writeFileSync(picture, buffer);
    const slow = await drive.context().newCDPSession(drive);
    const network = { offline: false, latency: 0, downloadThroughput: -1 };
    await slow.send("Network.enable");
    await slow.send("Network.emulateNetworkConditions", {
      ...network,
      uploadThroughput: 4 * 1024 * 1024,
    });
    await drive.locator("input[type=file]").setInputFiles(picture);
    const offset = async (): Promise<number> => {
      const answer = await person.api.get("/api/v1/uploads");
      const { rows } = (await answer.json()) as { rows: { offset: number }[] };
      return rows[0]?.offset ?? 0;
    };
    await expect.poll(offset, { timeout: 30_000 }).toBeGreaterThan(0);
    drive.once("dialog", (dialog) => dialog.accept());
    await drive.reload();
    const tray = drive.getByRole("region", { name: t("upload.tray") });
    await expect(tray.getByRole("heading", { level: 2 })).toHaveText(
      t("upload.lost", { count: 1 }),
    );
    const before = await offset();
    const sent: number[] = [];
    drive.on("request", (request) => {
      if (request.method() === "PATCH") sent.push(Number(request.headers()["upload-offset"]));
    });
    await slow.send("Network.emulateNetworkConditions", { ...network, uploadThroughput: -1 });
    const [chooser] = await Promise.all([
      drive.waitForEvent("filechooser"),
      press(tray.getByRole("button", { name: t("upload.do.choose-short") })),
    ]);
    await chooser.setFiles(picture);
    await expect(
      drive.getByRole("checkbox", { name: t("pictures.select", { name: "large.png" }) }),
    ).toBeVisible({ timeout: 30_000 });
    expect(Math.min(...sent)).toBeGreaterThanOrEqual(before);
    expect((await shared(person)).map(({ node }) => node.name)).toEqual(["large.png"]);
  });

  test("a picture is looked at from here, and its neighbours after it", async ({ drive }) => {
    await drive.goto("/pictures");
    await add(drive, { name: "first.png", buffer: png(40, 40) });
    await expect(drive.getByRole("checkbox")).toHaveCount(1);
    await add(drive, { name: "second.png", buffer: png(50, 50) });
    await expect(drive.getByRole("checkbox")).toHaveCount(2);
    const opener = drive.getByRole("button", { name: t("pictures.look", { name: "second.png" }) });
    await press(opener);
    const preview = drive.getByRole("dialog");
    await expect(preview).toContainText(t("preview.place", { at: 1, count: 2 }));
    if (phone)
      await preview
        .getByRole("button", { name: t("preview.after") })
        .last()
        .tap();
    else await drive.keyboard.press("ArrowRight");
    await expect(preview.getByRole("img", { name: "first.png" })).toHaveJSProperty(
      "naturalWidth",
      40,
    );
    await expectAccessible(drive);
    await press(preview.getByRole("button", { name: t("common.close") }));
    await expect(preview).toBeHidden();
    await expect(opener).toBeFocused();
  });

  test("what pictures are shown by stands in nobody's way", async ({ drive, person }) => {
    for (const name of [`${"很长的文件名".repeat(12)}.png`, "1.png"]) {
      const file = await putFile(person, person.root, name, png(300, 200));
      await person.api.post(`/api/v1/nodes/${file.id}/shares`, { data: { kind: "picture" } });
    }
    await drive.goto("/pictures");
    await press(drive.getByRole("checkbox").first());
    await expectAccessible(drive);
    await expectNoSideways(drive);
  });
});

onDesktops(({ t }) => {
  test("what is pasted becomes a link", async ({ drive, person }) => {
    await drive.goto("/pictures");
    await expect(drive.getByRole("heading", { name: t("pictures.empty.title") })).toBeVisible();
    await drive.evaluate(
      (bytes) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], "image.png", { type: "image/png" }));
        window.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
      },
      [...png(12, 12)],
    );
    await expect(drive.getByRole("checkbox")).toHaveCount(1);
    const [share] = await shared(person);
    expect(share?.node.name).toMatch(/^\d{4}-\d\d-\d\d \d{6}\.png$/);
  });
});

test("whoever speaks another language later has no second folder", async ({ page, person }) => {
  await choose(page, { locale: "zh-CN" });
  await signIn(page, person);
  await page.goto("/pictures");
  await expect(page.getByText("“图床”")).toBeVisible();
  await add(page, { name: "a.png", buffer: png(8, 8) });
  await expect(page.getByRole("checkbox")).toHaveCount(1);
  await choose(page, { locale: "en" });
  await page.goto("/pictures");
  await expect(
    page.getByRole("heading", { level: 1, name: texts("en")("pictures.title") }),
  ).toBeVisible();
  await expect(page.getByRole("checkbox")).toHaveCount(1);
  await add(page, { name: "b.png", buffer: png(8, 8) });
  await expect(page.getByRole("checkbox")).toHaveCount(2);
  const there = async (node: string): Promise<string[]> => {
    const answer = await person.api.get(`/api/v1/nodes/${node}/children`);
    const { rows } = (await answer.json()) as { rows: { id: string; name: string }[] };
    return node === person.root ? rows.map(({ id }) => id) : rows.map(({ name }) => name);
  };
  const [folder, ...others] = await there(person.root);
  expect(others).toEqual([]);
  expect(await there(folder ?? "")).toEqual(["a.png", "b.png"]);
});
