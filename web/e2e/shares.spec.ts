import english from "../src/i18n/en/shares.json" with { type: "json" };
import chinese from "../src/i18n/zh-CN/shares.json" with { type: "json" };
import {
  act,
  browserOf,
  expect,
  expectAccessible,
  expectNoSideways,
  facesWith,
  makeFolder,
  onFaces,
  type Person,
  putFile,
  rowOf,
  signIn,
  test,
} from "./kit";
import { type Link, makeLink, stranger, withdraw } from "./links";

const TEXTS = { en: english, "zh-CN": chinese };
const LONG = `${"a very long name of a report that nobody wanted to shorten ".repeat(3)}最终版本.txt`;

/** What a new ranking may take. */
const RANKING_MS = 60_000;

async function linkNow(who: Person, link: Link): Promise<Record<string, unknown>> {
  return (await (await who.api.get(`/api/v1/shares/${link.id}`)).json()) as Record<string, unknown>;
}

test.use({ permissions: ["clipboard-read", "clipboard-write"] });

onFaces("zh-CN", (face) => {
  const { locale, phone, press, t } = face;
  const texts = TEXTS[locale];

  test("one's own links are listed with their terms and state", async ({ drive, person }) => {
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
    await press(second.getByRole("button", { name: texts.copy.both }));
    await expect(second.getByRole("button", { name: t("common.copied") })).toBeVisible();
    const copied = await drive.evaluate(() => navigator.clipboard.readText());
    const link = `${new URL(drive.url()).origin}${coded.path}`;
    expect(copied).toBe(
      texts.copy.text.replace("{link}", link).replace("{code}", coded.code ?? "?"),
    );
    await expectAccessible(drive);
  });

  test("a link is withdrawn, and then removed from the list", async ({ drive, person }) => {
    const file = await putFile(person, person.root, "a.txt", "the content");
    const link = await makeLink(person, file.id);
    await drive.goto("/shares");
    const row = drive.getByRole("row").filter({ hasText: "a.txt" });
    const menu = row.getByRole("button", {
      name: texts["actions-of"].replace("{name}", "a.txt"),
    });
    await press(menu);
    await press(drive.getByRole("menuitem", { name: texts.withdraw.action }));
    const dialog = drive.getByRole("dialog");
    await expect(dialog).toContainText("a.txt");
    await expectAccessible(drive);
    await press(dialog.getByRole("button", { name: texts.withdraw.action }));
    await expect(row).toContainText(texts.state.withdrawn);
    expect(await linkNow(person, link)).toMatchObject({ revoked: true });
    await press(menu);
    await press(drive.getByRole("menuitem", { name: texts.remove.action }));
    await expect(drive.getByRole("heading", { name: texts.empty.title })).toBeVisible();
    expect((await person.api.get(`/api/v1/shares/${link.id}`)).status()).toBe(404);
  });

  test("the terms of a link are changed, and count at once", async ({
    browser,
    drive,
    person,
    site,
  }) => {
    const file = await putFile(person, person.root, "a.txt", "the content");
    const link = await makeLink(person, file.id, { code: "generated" });
    await drive.goto("/shares");
    if (phone) {
      const name = texts["actions-of"].replace("{name}", "a.txt");
      await drive.getByRole("button", { name }).tap();
      await drive.getByRole("menuitem", { name: texts.edit }).tap();
    } else await drive.getByRole("button", { name: texts.edit, exact: true }).click();
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
    await press(primary);
    await expect(dialog.getByRole("button", { name: t("common.copied") })).toBeVisible();
    expect(await drive.evaluate(() => navigator.clipboard.readText())).toContain("Open42");
    const page = await stranger(browser, site, face);
    await page.goto(`${link.path}#open42`);
    await expect(page.getByRole("heading", { name: "a.txt" })).toBeVisible();
    await page.context().close();
    // An end.
    const before = Date.now();
    await press(dialog.getByRole("radio", { name: texts.dialog.day, exact: true }));
    await expect(async () => {
      const { expires_at: end } = await linkNow(person, link);
      expect(Math.abs(Date.parse(String(end)) - before - 86_400_000)).toBeLessThan(60_000);
    }).toPass();
    await press(dialog.getByRole("radio", { name: texts.dialog.never, exact: true }));
    await expect(async () => {
      expect(await linkNow(person, link)).toMatchObject({ expires_at: null });
    }).toPass();
    // A limit, and everybody.
    await press(dialog.getByText(t("common.more"), { exact: true }));
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
    await press(dialog.getByRole("switch", { name: texts.dialog["ask-code"] }));
    await expect(listed).toBeEnabled();
    await press(listed);
    await expect(async () => {
      expect(await linkNow(person, link)).toMatchObject({ listed: true, code: { kind: "none" } });
    }).toPass();
    await expectAccessible(drive);
    // A code for cameras.
    await press(dialog.getByRole("button", { name: texts.qr.show }));
    await expect(dialog.getByRole("img")).toHaveAccessibleName(
      texts.qr.alt.replace("{link}", `${new URL(drive.url()).origin}${link.path}`),
    );
    const [picture] = await Promise.all([
      drive.waitForEvent("download"),
      press(dialog.getByRole("button", { name: texts.qr.save })),
    ]);
    expect(picture.suggestedFilename()).toBe("a.txt.png");
    await expectAccessible(drive);
    await drive.keyboard.press("Escape");
    await expect(dialog).toHaveCount(0);
    const row = drive.getByRole("row").filter({ hasText: "a.txt" });
    await expect(row).toContainText(texts.terms.endless);
    await expect(row).toContainText(texts.terms.listed);
  });

  test("a file is shared from its row with two presses", async ({ drive, person }) => {
    const name = "a.txt";
    const file = await putFile(person, person.root, name, "the content");
    await drive.goto("/files");
    const share = async (): Promise<void> => {
      if (phone) return await act(face, drive, name, "share");
      await rowOf(drive, name).hover();
      await drive.getByRole("button", { name: t("files.share", { name }) }).click();
    };
    await share();
    const dialog = drive.getByRole("dialog");
    await expect(dialog.getByRole("button", { name: texts.copy.both })).toBeFocused();
    if (phone) await dialog.getByRole("button", { name: texts.copy.both }).tap();
    else await drive.keyboard.press("Enter");
    await expect(dialog.getByRole("button", { name: t("common.copied") })).toBeVisible();
    const shares = await person.api.get("/api/v1/shares");
    const { rows } = (await shares.json()) as {
      rows: { token: string; node: { id: string }; code: { text: string } }[];
    };
    expect(rows.map((one) => one.node.id)).toEqual([file.id]);
    const copied = await drive.evaluate(() => navigator.clipboard.readText());
    expect(copied).toContain(rows[0]?.token ?? "?");
    expect(copied).toContain(rows[0]?.code.text ?? "?");
    // Asked again, it shows the link that is there.
    await press(dialog.getByRole("button", { name: t("common.close") }));
    await share();
    await expect(dialog.getByText(texts.dialog.existing)).toBeVisible();
    const again = await person.api.get("/api/v1/shares");
    expect(((await again.json()) as { rows: unknown[] }).rows).toHaveLength(1);
  });

  test("beside a file are its own links, and the drive is asked for no others", async ({
    drive,
    person,
  }) => {
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
    if (!phone)
      await drive.getByRole("button", { name: t("actions.details"), exact: true }).click();
    const facts = drive.getByRole(phone ? "dialog" : "complementary");
    const links = facts.getByRole("button", { name: t("files.share-forever") });
    for (const [name, count] of [
      ["a.txt", 1],
      ["b.txt", 2],
    ] as const) {
      if (phone) await act(face, drive, name, "details");
      else await rowOf(drive, name).getByRole("checkbox").click();
      await expect(links).toHaveCount(count);
      if (phone) {
        await facts.getByRole("button", { name: t("common.close") }).tap();
        await drive.getByRole("button", { name: t("actions.select-none") }).tap();
      } else await rowOf(drive, name).getByRole("checkbox").click();
    }
    expect([...new Set(asked)].sort()).toEqual([a?.id, b?.id].sort());
  });

  test("many links come as somebody scrolls", async ({ drive, person }) => {
    const file = await putFile(person, person.root, "a.txt", "the content");
    await Promise.all(Array.from({ length: 70 }, () => makeLink(person, file.id)));
    await drive.goto("/shares");
    const rows = drive.getByRole("row");
    await expect(rows).toHaveCount(51);
    await rows.last().scrollIntoViewIfNeeded();
    await expect(rows).toHaveCount(71);
    await expect(drive.getByRole("button", { name: t("common.load-more") })).toHaveCount(0);
  });

  test("one's own links and their terms stand in nobody's way", async ({ drive, person }) => {
    const file = await putFile(person, person.root, LONG, "the content");
    const link = await makeLink(person, file.id, { code: "generated", downloads: 2 });
    await withdraw(person, await makeLink(person, file.id));
    await drive.goto("/shares");
    await expect(drive.getByRole("cell", { name: texts.state.withdrawn })).toBeVisible();
    await expectAccessible(drive);
    await expectNoSideways(drive);
    await press(
      drive
        .getByRole("row")
        .filter({ hasText: link.code ?? "?" })
        .getByRole("button", { name: texts["actions-of"].replace("{name}", LONG) }),
    );
    await press(drive.getByRole("menuitem", { name: texts.edit }));
    const dialog = drive.getByRole("dialog");
    await expect(dialog.getByLabel(texts.dialog.link, { exact: true })).toBeVisible();
    await press(dialog.getByText(t("common.more"), { exact: true }));
    await press(drive.getByRole("button", { name: texts.qr.show }));
    await expect(dialog.getByRole("img")).toBeVisible();
    await expectAccessible(drive);
    await expectNoSideways(drive);
  });
});

test("what is listed shows in the ranking, and opens, in both languages and on a phone", async ({
  browser,
  person,
  site,
}) => {
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
  for (const face of facesWith("en")) {
    const { phone, press, t } = face;
    const context = await browser.newContext({ baseURL: site.url, ...browserOf(face) });
    const page = await context.newPage();
    await signIn(page, person);
    await page.goto("/popular");
    await expect(page.getByText(t("popular.text"))).toBeVisible();
    const row = rowOf(page, `${person.name}.txt`);
    await expect(row).toContainText(phone ? t("popular.by", { owner: person.name }) : "11 B");
    await expectAccessible(page);
    await expectNoSideways(page);
    await press(row.getByRole("link"));
    await expect(page).toHaveURL(new RegExp(`${link.path}$`));
    await expect(page.getByRole("heading", { name: `${person.name}.txt` })).toBeVisible();
    await context.close();
  }
});
