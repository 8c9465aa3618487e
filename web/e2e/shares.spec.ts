import popularEnglish from "../src/i18n/en/popular.json" with { type: "json" };
import english from "../src/i18n/en/shares.json" with { type: "json" };
import popularChinese from "../src/i18n/zh-CN/popular.json" with { type: "json" };
import chinese from "../src/i18n/zh-CN/shares.json" with { type: "json" };
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
import { expectNoSideways, type Link, makeLink, stranger, withdraw } from "./links";

const TEXTS = { en: english, "zh-CN": chinese };
const POPULAR = { en: popularEnglish, "zh-CN": popularChinese };
const COPIED = { en: "Copied", "zh-CN": "已复制" };
const MORE = { en: "More", "zh-CN": "更多" };
const SHARE = { en: "Share", "zh-CN": "分享" };
const LONG = `${"a very long name of a report that nobody wanted to shorten ".repeat(3)}最终版本.txt`;

/** What a new ranking may take. */
const RANKING_MS = 60_000;

async function linkNow(who: Person, link: Link): Promise<Record<string, unknown>> {
  return (await (await who.api.get(`/api/v1/shares/${link.id}`)).json()) as Record<string, unknown>;
}

test.use({ permissions: ["clipboard-read", "clipboard-write"] });

for (const locale of LANGUAGES) {
  const texts = TEXTS[locale];

  test(`one's own links are listed with their terms and state (${locale})`, async ({
    drive,
    person,
  }) => {
    await choose(drive, { locale });
    await drive.goto("/shares");
    await expect(drive.getByRole("heading", { name: texts.empty.title })).toBeVisible();
    await expectAccessible(drive);
    const file = await putFile(person, person.root, "a.txt", "the content");
    const folder = await makeFolder(person, person.root, "trip");
    const coded = await makeLink(person, file.id, { code: "generated", downloads: 2 });
    const withdrawn = await makeLink(person, folder.id, { expires_at: null });
    await withdraw(person, withdrawn);
    await drive.reload();
    const first = drive.getByRole("row").filter({ hasText: "trip" });
    await expect(first).toContainText(texts.state.withdrawn);
    await expect(first).not.toContainText(texts.terms.endless);
    const second = drive.getByRole("row").filter({ hasText: "a.txt" });
    await expect(second).toContainText(texts.state.active);
    await expect(second).toContainText(texts.terms.code.replace("{code}", coded.code ?? "?"));
    await expect(second).toContainText("2");
    await second.getByRole("button", { name: texts.copy.both }).click();
    await expect(second.getByRole("button", { name: COPIED[locale] })).toBeVisible();
    const copied = await drive.evaluate(() => navigator.clipboard.readText());
    const link = `${new URL(drive.url()).origin}${coded.path}`;
    expect(copied).toBe(
      texts.copy.text.replace("{link}", link).replace("{code}", coded.code ?? "?"),
    );
    await expectAccessible(drive);
  });

  test(`a link is withdrawn, and then removed from the list (${locale})`, async ({
    drive,
    person,
  }) => {
    await choose(drive, { locale });
    const file = await putFile(person, person.root, "a.txt", "the content");
    const link = await makeLink(person, file.id);
    await drive.goto("/shares");
    const row = drive.getByRole("row").filter({ hasText: "a.txt" });
    const menu = row.getByRole("button", {
      name: texts["actions-of"].replace("{name}", "a.txt"),
    });
    await menu.click();
    await drive.getByRole("menuitem", { name: texts.withdraw.action }).click();
    const dialog = drive.getByRole("dialog");
    await expect(dialog).toContainText("a.txt");
    await expectAccessible(drive);
    await dialog.getByRole("button", { name: texts.withdraw.action }).click();
    await expect(row).toContainText(texts.state.withdrawn);
    expect(await linkNow(person, link)).toMatchObject({ revoked: true });
    await menu.click();
    await drive.getByRole("menuitem", { name: texts.remove.action }).click();
    await expect(drive.getByRole("heading", { name: texts.empty.title })).toBeVisible();
    expect((await person.api.get(`/api/v1/shares/${link.id}`)).status()).toBe(404);
  });

  test(`the terms of a link are changed, and count at once (${locale})`, async ({
    browser,
    drive,
    person,
    site,
  }) => {
    await choose(drive, { locale });
    const file = await putFile(person, person.root, "a.txt", "the content");
    const link = await makeLink(person, file.id, { code: "generated" });
    await drive.goto("/shares");
    await drive.getByRole("button", { name: texts.edit, exact: true }).click();
    const dialog = drive.getByRole("dialog");
    const saved = dialog.getByRole("status");
    await expect(dialog.getByLabel(texts.dialog.link, { exact: true })).toHaveValue(
      `${new URL(drive.url()).origin}${link.path}`,
    );
    const primary = dialog.getByRole("button", { name: texts.copy.both });
    await expect(primary).toBeFocused();
    await expectAccessible(drive);
    // A code of one's own; one that can't be says so.
    const code = dialog.getByRole("textbox", { name: texts.dialog.code, exact: true });
    await code.fill("abc");
    await drive.keyboard.press("Enter");
    await expect(dialog.getByRole("alert")).toHaveText(texts.dialog["code-wrong"]);
    await code.fill("Open42");
    await drive.keyboard.press("Enter");
    await expect(saved).toHaveText(texts.dialog.saved);
    expect(await linkNow(person, link)).toMatchObject({ code: { kind: "chosen" } });
    await primary.click();
    await expect(dialog.getByRole("button", { name: COPIED[locale] })).toBeVisible();
    expect(await drive.evaluate(() => navigator.clipboard.readText())).toContain("Open42");
    const page = await stranger(browser, site, { locale });
    await page.goto(`${link.path}#open42`);
    await expect(page.getByRole("heading", { name: "a.txt" })).toBeVisible();
    await page.context().close();
    // An end.
    const before = Date.now();
    await dialog.getByRole("radio", { name: texts.dialog.day, exact: true }).click();
    await expect(async () => {
      const { expires_at: end } = await linkNow(person, link);
      expect(Math.abs(Date.parse(String(end)) - before - 86_400_000)).toBeLessThan(60_000);
    }).toPass();
    await dialog.getByRole("radio", { name: texts.dialog.never, exact: true }).click();
    await expect(async () => {
      expect(await linkNow(person, link)).toMatchObject({ expires_at: null });
    }).toPass();
    // A limit, and everybody.
    await dialog.getByText(MORE[locale], { exact: true }).click();
    const limit = dialog.getByLabel(texts.dialog.limit, { exact: true });
    await limit.fill("0");
    await drive.keyboard.press("Enter");
    await expect(dialog.getByRole("alert")).toHaveText(texts.dialog["limit-wrong"]);
    await limit.fill("3");
    await drive.keyboard.press("Enter");
    await expect(async () => {
      expect(await linkNow(person, link)).toMatchObject({ downloads_left: 3 });
    }).toPass();
    const listed = dialog.getByRole("switch", { name: texts.dialog.listed });
    await expect(listed).toBeDisabled();
    await dialog.getByRole("switch", { name: texts.dialog["ask-code"] }).click();
    await expect(listed).toBeEnabled();
    await listed.click();
    await expect(async () => {
      expect(await linkNow(person, link)).toMatchObject({ listed: true, code: { kind: "none" } });
    }).toPass();
    await expectAccessible(drive);
    // A code for cameras.
    await dialog.getByRole("button", { name: texts.qr.show }).click();
    await expect(dialog.getByRole("img")).toHaveAccessibleName(
      texts.qr.alt.replace("{link}", `${new URL(drive.url()).origin}${link.path}`),
    );
    const [picture] = await Promise.all([
      drive.waitForEvent("download"),
      dialog.getByRole("button", { name: texts.qr.save }).click(),
    ]);
    expect(picture.suggestedFilename()).toBe("a.txt.png");
    await expectAccessible(drive);
    await drive.keyboard.press("Escape");
    await expect(dialog).toHaveCount(0);
    const row = drive.getByRole("row").filter({ hasText: "a.txt" });
    await expect(row).toContainText(texts.terms.endless);
    await expect(row).toContainText(texts.terms.listed);
  });

  test(`a file is shared from its row with two presses (${locale})`, async ({ drive, person }) => {
    await choose(drive, { locale });
    const file = await putFile(person, person.root, "a.txt", "the content");
    await drive.goto("/files");
    const row = drive.getByRole("row").filter({ hasText: "a.txt" });
    await row.hover();
    await row.getByRole("button", { name: SHARE[locale] }).click();
    const dialog = drive.getByRole("dialog");
    await expect(dialog.getByRole("button", { name: texts.copy.both })).toBeFocused();
    await drive.keyboard.press("Enter");
    await expect(dialog.getByRole("button", { name: COPIED[locale] })).toBeVisible();
    const shares = await person.api.get("/api/v1/shares");
    const { rows } = (await shares.json()) as {
      rows: { token: string; node: { id: string }; code: { text: string } }[];
    };
    expect(rows.map((one) => one.node.id)).toEqual([file.id]);
    const copied = await drive.evaluate(() => navigator.clipboard.readText());
    expect(copied).toContain(rows[0]?.token ?? "?");
    expect(copied).toContain(rows[0]?.code.text ?? "?");
    // Asked again, it shows the link that is there.
    await drive.keyboard.press("Escape");
    await row.hover();
    await row.getByRole("button", { name: SHARE[locale] }).click();
    await expect(dialog.getByText(texts.dialog.existing)).toBeVisible();
    const again = await person.api.get("/api/v1/shares");
    expect(((await again.json()) as { rows: unknown[] }).rows).toHaveLength(1);
  });
}

test("what is listed shows in the ranking, and opens", async ({ drive, person }) => {
  const file = await putFile(person, person.root, `${person.name}.txt`, "the content");
  const link = await makeLink(person, file.id, { listed: true });
  // The ranking is half a minute old at most.
  test.setTimeout(RANKING_MS + 60_000);
  await expect
    .poll(
      async () => {
        const answer = await person.api.get("/api/v1/public/ranking?limit=1000");
        const { rows } = (await answer.json()) as { rows: { token: string }[] };
        return rows.some((row) => row.token === link.token);
      },
      { timeout: RANKING_MS },
    )
    .toBe(true);
  for (const locale of LANGUAGES) {
    for (const theme of ["light", "dark"] as const) {
      await choose(drive, { locale, theme });
      await drive.setViewportSize({ width: 1280, height: 800 });
      await drive.goto("/popular");
      await expect(drive.getByText(POPULAR[locale].text)).toBeVisible();
      const row = drive.getByRole("row").filter({ hasText: `${person.name}.txt` });
      await expect(row).toContainText("11 B");
      await expectAccessible(drive);
      await drive.setViewportSize(PHONE);
      await expectNoSideways(drive);
      await expect(row).toContainText(POPULAR[locale].by.replace("{owner}", person.name));
      await row.getByRole("link").click();
      await expect(drive).toHaveURL(new RegExp(`${link.path}$`));
      await expect(drive.getByRole("heading", { name: `${person.name}.txt` })).toBeVisible();
    }
  }
});

test("beside a file are its own links, and the drive is asked for no others", async ({
  drive,
  person,
}) => {
  await choose(drive, { locale: "en" });
  const [a, b] = await Promise.all(
    ["a.txt", "b.txt"].map((name) => putFile(person, person.root, name, "the content")),
  );
  await makeLink(person, a?.id ?? "", { expires_at: null });
  await withdraw(person, await makeLink(person, a?.id ?? "", { expires_at: null }));
  await makeLink(person, b?.id ?? "", { expires_at: null });
  await makeLink(person, b?.id ?? "", { expires_at: null });
  const asked: (string | null)[] = [];
  drive.on("request", (request) => {
    const url = new URL(request.url());
    if (url.pathname.endsWith("/api/v1/shares")) asked.push(url.searchParams.get("node"));
  });
  await drive.goto("/files");
  await drive.getByRole("button", { name: "Details", exact: true }).click();
  const links = drive.getByRole("complementary").getByRole("button", { name: /^Has no end/ });
  for (const [name, count] of [
    ["a.txt", 1],
    ["b.txt", 2],
  ] as const) {
    const row = drive.getByRole("row").filter({ hasText: name });
    await row.getByRole("checkbox").click();
    await expect(links).toHaveCount(count);
    await row.getByRole("checkbox").click();
  }
  expect([...new Set(asked)].sort()).toEqual([a?.id, b?.id].sort());
});

test("many links come as somebody scrolls", async ({ drive, person }) => {
  const file = await putFile(person, person.root, "a.txt", "the content");
  for (let count = 0; count < 70; count += 1) await makeLink(person, file.id);
  await choose(drive, { locale: "en" });
  await drive.goto("/shares");
  const rows = drive.getByRole("row");
  await expect(rows).toHaveCount(51);
  await rows.last().scrollIntoViewIfNeeded();
  await expect(rows).toHaveCount(71);
  await expect(drive.getByRole("button", { name: "Load more" })).toHaveCount(0);
});

for (const theme of ["light", "dark"] as const) {
  test(`one's own links and their terms stand in nobody's way (${theme})`, async ({
    drive,
    person,
  }) => {
    await choose(drive, { locale: "en", theme });
    const file = await putFile(person, person.root, LONG, "the content");
    const link = await makeLink(person, file.id, { code: "generated", downloads: 2 });
    await withdraw(person, await makeLink(person, file.id));
    await drive.goto("/shares");
    await expect(drive.getByRole("cell", { name: english.state.withdrawn })).toBeVisible();
    await expectAccessible(drive);
    await drive.setViewportSize(PHONE);
    await expectNoSideways(drive);
    await expectAccessible(drive);
    await drive
      .getByRole("row")
      .filter({ hasText: link.code ?? "?" })
      .getByRole("button", { name: english["actions-of"].replace("{name}", LONG) })
      .click();
    await drive.getByRole("menuitem", { name: english.edit }).click();
    await expect(
      drive.getByRole("dialog").getByLabel(english.dialog.link, { exact: true }),
    ).toBeVisible();
    await drive.getByRole("dialog").getByText("More", { exact: true }).click();
    await drive.getByRole("button", { name: english.qr.show }).click();
    await expect(drive.getByRole("dialog").getByRole("img")).toBeVisible();
    await expectAccessible(drive);
    await expectNoSideways(drive);
  });
}
