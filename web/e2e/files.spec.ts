import type { Page } from "@playwright/test";
import {
  choose,
  expect,
  expectAccessible,
  LANGUAGES,
  makeFolder,
  type Person,
  PHONE,
  putFile,
  test,
} from "./kit";
import { texts } from "./texts";

const row = (page: Page, name: string) => page.getByRole("row").filter({ hasText: name });
const names = (page: Page) =>
  page
    .locator("[data-id]")
    .evaluateAll((rows) =>
      rows.map((one) => one.querySelector("[title]")?.getAttribute("title") ?? ""),
    );

async function children(person: Person, folder: string): Promise<string[]> {
  const answer = await person.api.get(`/api/v1/nodes/${folder}/children?limit=1000`);
  const page = (await answer.json()) as { rows: { name: string }[] };
  return page.rows.map((one) => one.name);
}

for (const locale of LANGUAGES) {
  const t = texts(locale);

  test(`an empty folder says how to fill it, and a folder is made in it (${locale})`, async ({
    drive,
    person,
  }) => {
    await choose(drive, { locale });
    await drive.goto("/files");
    await expect(drive.getByRole("heading", { name: t("files.empty.title") })).toBeVisible();
    await expectAccessible(drive);
    await drive.keyboard.press("n");
    const dialog = drive.getByRole("dialog");
    await expect(dialog.getByLabel(t("common.name"))).toBeFocused();
    await expectAccessible(drive);
    await dialog.getByLabel(t("common.name")).fill("项目 2026");
    await drive.keyboard.press("Enter");
    // The keyboard is on what was made.
    await expect(row(drive, "项目 2026")).toBeFocused();
    await expect.poll(() => children(person, person.root)).toEqual(["项目 2026"]);

    await drive.keyboard.press("n");
    await dialog.getByLabel(t("common.name")).fill("项目 2026");
    await drive.keyboard.press("Enter");
    await expect(dialog.getByRole("alert")).toHaveText(t("problems.name-taken"));
    await drive.keyboard.press("Escape");
    await expect(dialog).toBeHidden();

    await drive.keyboard.press("Enter");
    await expect(
      drive.getByRole("heading", { level: 1, name: "项目 2026", exact: true }),
    ).toBeVisible();
    await expect(drive.getByRole("link", { name: t("frame.nav.files") }).last()).toBeVisible();
    await drive.keyboard.press("Backspace");
    await expect(row(drive, "项目 2026")).toBeFocused();
  });

  test(`a name is changed in its place, and a taken one is said at the field (${locale})`, async ({
    drive,
    person,
  }) => {
    await choose(drive, { locale });
    await putFile(person, person.root, "one.txt", "1");
    await putFile(person, person.root, "two.txt", "2");
    await drive.goto("/files");
    await row(drive, "one.txt").click();
    await drive.keyboard.press("F2");
    const field = drive.getByLabel(t("files.new-name", { name: "one.txt" }));
    await expect(field).toBeFocused();
    // The stem is chosen: what is typed takes its place.
    await drive.keyboard.type("two");
    await drive.keyboard.press("Enter");
    await expect(drive.getByRole("alert")).toHaveText(t("problems.name-taken"));
    await expect(field).toBeFocused();
    await expectAccessible(drive);
    await field.fill("three.txt");
    await drive.keyboard.press("Enter");
    await expect(row(drive, "three.txt")).toBeFocused();
    await expect.poll(() => children(person, person.root)).toEqual(["three.txt", "two.txt"]);
  });

  test(`what is deleted comes back with undo, and the keyboard stays in the list (${locale})`, async ({
    drive,
    person,
  }) => {
    await choose(drive, { locale });
    for (const name of ["a.txt", "b.txt", "c.txt"]) await putFile(person, person.root, name, name);
    await drive.goto("/files");
    await row(drive, "b.txt").click();
    await drive.keyboard.press("Delete");
    await expect(row(drive, "b.txt")).toBeHidden();
    await expect(row(drive, "c.txt")).toBeFocused();
    await expect(
      drive.getByText(t("actions.done.trash", { name: "b.txt", count: 1 })),
    ).toBeVisible();
    await drive.getByRole("button", { name: t("common.undo") }).click();
    await expect(row(drive, "b.txt")).toBeVisible();
    await expect.poll(() => children(person, person.root)).toEqual(["a.txt", "b.txt", "c.txt"]);
  });

  test(`the bar of what is chosen says how many and how much (${locale})`, async ({
    drive,
    person,
  }) => {
    await choose(drive, { locale });
    for (const name of ["a.txt", "b.txt", "c.txt", "d.txt"]) {
      await putFile(person, person.root, name, "x".repeat(512));
    }
    await drive.goto("/files");
    const bar = drive.getByRole("toolbar", { name: t("files.bar") });
    await row(drive, "a.txt").click();
    await expect(bar).toContainText(`${t("files.chosen", { count: 1 })} · 512 B`);
    await row(drive, "c.txt").click({ modifiers: ["Shift"] });
    await expect(bar).toContainText(`${t("files.chosen", { count: 3 })} · 1.5 KB`);
    await row(drive, "b.txt").click({ modifiers: ["ControlOrMeta"] });
    await expect(bar).toContainText(t("files.chosen", { count: 2 }));
    await drive.getByRole("checkbox", { name: t("files.select", { name: "d.txt" }) }).click();
    await expect(bar).toContainText(t("files.chosen", { count: 3 }));
    await expectAccessible(drive);
    await drive.keyboard.press("ControlOrMeta+a");
    await expect(bar).toContainText(`${t("files.chosen", { count: 4 })} · 2 KB`);
    await drive.keyboard.press("Escape");
    await expect(bar).toBeHidden();
  });

  test(`files are moved with the dialog and moved back with undo (${locale})`, async ({
    drive,
    person,
  }) => {
    await choose(drive, { locale });
    const folder = await makeFolder(person, person.root, "there");
    await putFile(person, person.root, "a.txt", "a");
    await drive.goto("/files");
    await row(drive, "a.txt").click();
    await drive.getByRole("button", { name: t("actions.move") }).click();
    const dialog = drive.getByRole("dialog");
    await dialog.getByRole("button", { name: "there" }).click();
    await expect(dialog.getByText(t("files.no-folders"))).toBeVisible();
    await expectAccessible(drive);
    await dialog.getByRole("button", { name: t("actions.move-here") }).click();
    await expect(row(drive, "a.txt")).toBeHidden();
    await expect.poll(() => children(person, folder.id)).toEqual(["a.txt"]);
    await drive.getByRole("button", { name: t("common.undo") }).click();
    await expect(row(drive, "a.txt")).toBeVisible();
    await expect.poll(() => children(person, folder.id)).toEqual([]);
  });

  test(`a folder that is not there says so and leads back (${locale})`, async ({ drive }) => {
    await choose(drive, { locale });
    for (const address of ["/files/999999999", "/files/nowhere"]) {
      await drive.goto(address);
      await expect(drive.getByRole("heading", { name: t("files.gone.title") })).toBeVisible();
      await expectAccessible(drive);
    }
    await drive.getByRole("link", { name: t("frame.not-found.home") }).click();
    await expect(drive).toHaveURL(/\/files$/);
  });

  test(`on a phone a long press chooses, and a tap opens (${locale})`, async ({
    browser,
    person,
    site,
    page,
  }) => {
    const folder = await makeFolder(person, person.root, "inside");
    await putFile(person, person.root, `${"a very long name ".repeat(12)}.txt`, "x");
    const context = await browser.newContext({
      baseURL: site.url,
      viewport: PHONE,
      hasTouch: true,
      isMobile: true,
    });
    const phone = await context.newPage();
    await choose(phone, { locale });
    const answer = await phone.request.post("/api/v1/session", {
      data: { user_name: person.name, password: person.password },
      headers: { "sec-fetch-site": "same-origin" },
    });
    expect(answer.status()).toBe(201);
    await page.close();
    await phone.goto("/files");
    const there = row(phone, "inside");
    await expect(there).toBeVisible();
    const wide = await phone.evaluate(
      () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
    );
    expect(wide).toBe(false);
    await expectAccessible(phone);
    const box = await there.boundingBox();
    if (!box) throw new Error("the row is not in sight");
    const finger = await context.newCDPSession(phone);
    const at = { x: box.x + 120, y: box.y + box.height / 2 };
    await finger.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [at] });
    await expect(phone.getByRole("toolbar", { name: t("files.bar") })).toBeVisible();
    await finger.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
    await expect(phone).toHaveURL(/\/files$/);
    await expect(phone.getByRole("menu")).toBeHidden();
    await expectAccessible(phone);
    await phone.getByRole("button", { name: t("actions.select-none") }).tap();
    await there.getByRole("button", { name: t("files.more", { name: "inside" }) }).tap();
    await expect(phone.getByRole("menuitem", { name: t("actions.rename") })).toBeVisible();
    await phone.keyboard.press("Escape");
    await phone.getByRole("button", { name: t("actions.select-none") }).tap();
    await there.tap();
    await expect(phone).toHaveURL(new RegExp(`/files/${folder.id}$`));
    await context.close();
  });
}

for (const theme of ["light", "dark"] as const) {
  test(`list, tiles and details stand in nobody's way (${theme})`, async ({ drive, person }) => {
    await choose(drive, { theme });
    const t = texts("en");
    await makeFolder(person, person.root, "项目");
    await putFile(person, person.root, "a", "x");
    await putFile(person, person.root, `${"long ".repeat(40)}.tar.gz`, "x");
    await drive.goto("/files");
    await drive.getByRole("button", { name: t("actions.details") }).click();
    // Elsewhere in the row its name would be opened.
    await row(drive, "long").getByRole("checkbox").click();
    await expect(drive.getByRole("complementary")).toContainText("Archive (GZ)");
    await expectAccessible(drive);
    await drive.keyboard.press("Escape");
    await drive.getByRole("button", { name: t("files.view.grid") }).click();
    await expect(drive.getByRole("gridcell", { name: "项目" })).toBeVisible();
    await expectAccessible(drive);
    await drive.keyboard.press("?");
    await expect(drive.getByRole("dialog")).toBeVisible();
    await expectAccessible(drive);
  });
}

test("lists are sorted by the drive, folders first, and remember how", async ({
  drive,
  person,
}) => {
  await makeFolder(person, person.root, "folder");
  await putFile(person, person.root, "big.txt", "x".repeat(2_000));
  await putFile(person, person.root, "small.txt", "x");
  await putFile(person, person.root, "middle.txt", "x".repeat(1_000));
  await drive.goto("/files");
  await expect.poll(() => names(drive)).toEqual(["folder", "big.txt", "middle.txt", "small.txt"]);
  const head = drive.getByRole("columnheader", { name: "Size" });
  await head.getByRole("button").click();
  await expect(head).toHaveAttribute("aria-sort", "descending");
  await expect.poll(() => names(drive)).toEqual(["folder", "big.txt", "middle.txt", "small.txt"]);
  await head.getByRole("button").click();
  await expect.poll(() => names(drive)).toEqual(["folder", "small.txt", "middle.txt", "big.txt"]);
  await drive.reload();
  await expect.poll(() => names(drive)).toEqual(["folder", "small.txt", "middle.txt", "big.txt"]);
});

test("what is dragged onto a folder, or onto the path, is moved there", async ({
  drive,
  person,
}) => {
  const outer = await makeFolder(person, person.root, "outer");
  const inner = await makeFolder(person, outer.id, "inner");
  await putFile(person, outer.id, "a.txt", "a");
  await putFile(person, outer.id, "b.txt", "b");
  await drive.goto(`/files/${outer.id}`);
  await row(drive, "a.txt").dragTo(row(drive, "inner"));
  await expect(row(drive, "a.txt")).toBeHidden();
  await expect.poll(() => children(person, inner.id)).toEqual(["a.txt"]);
  await row(drive, "b.txt").dragTo(
    drive.getByRole("navigation", { name: "Path" }).getByRole("link", { name: "Files" }),
  );
  await expect(row(drive, "b.txt")).toBeHidden();
  await expect.poll(() => children(person, person.root)).toEqual(["outer", "b.txt"]);
});

test("a file is downloaded under its name, and a folder as an archive", async ({
  drive,
  person,
}) => {
  await putFile(person, person.root, "报告.txt", "hello");
  const folder = await makeFolder(person, person.root, "papers");
  await putFile(person, folder.id, "one.txt", "1");
  await drive.goto("/files");
  for (const [name, saved] of [
    ["报告.txt", "报告.txt"],
    ["papers", "papers.zip"],
  ] as const) {
    await row(drive, name).hover();
    const download = drive.waitForEvent("download");
    await row(drive, name)
      .getByRole("button", { name: `Download ${name}` })
      .click();
    expect((await download).suggestedFilename()).toBe(saved);
  }
});

test("what is chosen is downloaded as one archive, and the page stays", async ({
  drive,
  person,
}) => {
  await putFile(person, person.root, "a.txt", "a");
  await putFile(person, person.root, "b.txt", "b");
  await drive.goto("/files");
  await row(drive, "a.txt").focus();
  await drive.keyboard.press("ControlOrMeta+a");
  const download = drive.waitForEvent("download");
  await drive
    .getByRole("toolbar", { name: "With what is selected" })
    .getByRole("button", { name: "Download" })
    .click();
  expect((await download).suggestedFilename()).toMatch(/\.zip$/);
  await expect(row(drive, "b.txt")).toBeVisible();
});

test("a folder with thousands of files scrolls like a small one", async ({ drive, person }) => {
  test.setTimeout(180_000);
  const folder = await makeFolder(person, person.root, "many");
  const parts = await makeFolder(person, person.root, "part");
  for (let at = 0; at < 8; at++) await putFile(person, parts.id, `file-${at}.txt`, `${at}`);
  const one = (await (await person.api.get(`/api/v1/nodes/${parts.id}/children`)).json()) as {
    rows: { id: string }[];
  };
  for (let round = 0; round < 130; round++) {
    await Promise.all(
      one.rows.map(async ({ id }, at) => {
        const name = `file ${String(round * 8 + at).padStart(4, "0")}.txt`;
        const made = await person.api.post(`/api/v1/nodes/${id}/copies`, {
          data: { parent: folder.id, name },
        });
        expect(made.status(), await made.text()).toBe(201);
      }),
    );
  }
  await drive.goto(`/files/${folder.id}`);
  // More than a page of the API: the rest is read in the background.
  await expect(drive.getByRole("contentinfo").or(drive.locator("footer"))).toContainText(
    "1040 files",
  );
  await row(drive, "file 0000.txt").focus();
  await drive.keyboard.press("End");
  await expect(row(drive, "file 1039.txt")).toBeFocused();
  expect(await drive.locator("[data-id]").count()).toBeLessThan(100);
  await drive.keyboard.type("file 0777");
  await expect(row(drive, "file 0777.txt")).toBeFocused();
  await drive.keyboard.press("Home");
  await expect(row(drive, "file 0000.txt")).toBeFocused();
});
