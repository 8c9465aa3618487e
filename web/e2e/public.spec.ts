import { readFile } from "node:fs/promises";
import { type Page, request } from "@playwright/test";
import english from "../src/i18n/en/public.json" with { type: "json" };
import chinese from "../src/i18n/zh-CN/public.json" with { type: "json" };
import {
  expect,
  expectAccessible,
  expectNoSideways,
  type Face,
  facesWith,
  makeFolder,
  onFaces,
  putFile,
  signIn,
  test,
} from "./kit";
import { changeLink, makeLink, stranger, withdraw } from "./links";

const TEXTS = { en: english, "zh-CN": chinese };
const LONG = `${"a very long name of a report that nobody wanted to shorten ".repeat(3)}最终版本.txt`;
const GENERIC = { en: "A shared file · Cairn", "zh-CN": "分享的文件 · Cairn" };

onFaces("en", (face) => {
  const { locale, press } = face;
  const texts = TEXTS[locale];

  test("a stranger sees who shares what, and has it with one press", async ({
    browser,
    site,
    newPerson,
  }) => {
    const owner = await newPerson("owner");
    const file = await putFile(owner, owner.root, LONG, "the content");
    const link = await makeLink(owner, file.id, { downloads: 2 });
    const page = await stranger(browser, site, face);
    await page.goto(link.path);
    await expect(page.getByRole("heading", { name: LONG })).toBeVisible();
    await expect(page.getByText(texts.by.replace("{owner}", owner.name))).toBeVisible();
    await expect(page.getByText("11 B")).toBeVisible();
    await expectAccessible(page);
    const [fetched] = await Promise.all([
      page.waitForEvent("download"),
      press(page.getByRole("link", { name: texts.download, exact: true })),
    ]);
    expect(await readFile(await fetched.path(), "utf8")).toBe("the content");
    await page.context().close();
  });

  test("nothing of a file shows before its code was right", async ({
    browser,
    site,
    newPerson,
  }) => {
    const owner = await newPerson("owner");
    const file = await putFile(owner, owner.root, "secret plan.txt", "the content");
    const link = await makeLink(owner, file.id, { code: "generated" });
    const page = await stranger(browser, site, face);
    await page.goto(link.path);
    const box = page.getByLabel(texts.code.label, { exact: true });
    await expect(box).toBeFocused();
    await expect(page).toHaveTitle(GENERIC[locale]);
    await expect(page.getByText("secret plan")).toHaveCount(0);
    await expect(page.getByText(owner.name)).toHaveCount(0);
    await expectAccessible(page);
    await box.fill("wrong1");
    await page.keyboard.press("Enter");
    await expect(page.getByRole("alert")).toHaveText(texts.code.wrong);
    await expect(box).toBeFocused();
    await expect(page).toHaveTitle(GENERIC[locale]);
    await expectAccessible(page);
    // The wrong one is selected: what is typed takes its place.
    await page.keyboard.type(link.code?.toUpperCase() ?? "");
    await page.keyboard.press("Enter");
    await expect(page.getByRole("heading", { name: "secret plan.txt" })).toBeVisible();
    await expect(page).toHaveTitle("secret plan.txt · Cairn");
    const [fetched] = await Promise.all([
      page.waitForEvent("download"),
      press(page.getByRole("link", { name: texts.download, exact: true })),
    ]);
    expect(fetched.suggestedFilename()).toBe("secret plan.txt");
    // The browser keeps what the code gave.
    await page.reload();
    await expect(page.getByRole("heading", { name: "secret plan.txt" })).toBeVisible();
    await page.context().close();
  });

  test("withdrawn, expired, gone and unknown links say which they are", async ({
    browser,
    site,
    newPerson,
  }) => {
    const owner = await newPerson("owner");
    const file = await putFile(owner, owner.root, "a.txt", "the content");
    const lost = await putFile(owner, owner.root, "b.txt", "the content");
    const withdrawn = await makeLink(owner, file.id);
    await withdraw(owner, withdrawn);
    const gone = await makeLink(owner, lost.id);
    expect((await owner.api.delete(`/api/v1/nodes/${lost.id}`)).ok()).toBe(true);
    const ending = await makeLink(owner, file.id);
    await changeLink(owner, ending, { expires_at: new Date(Date.now() + 1_000).toISOString() });
    const page = await stranger(browser, site, face);
    for (const [path, code] of [
      [withdrawn.path, "share-revoked"],
      [gone.path, "share-unavailable"],
      [`/s/${"0".repeat(32)}`, "share-not-found"],
      ["/s/nonsense", "share-not-found"],
    ] as const) {
      await page.goto(path);
      await expect(page.getByRole("heading", { name: texts.over[code].title })).toBeVisible();
      await expect(page.getByText(texts.over[code].text)).toBeVisible();
      await expect(page).toHaveTitle(GENERIC[locale]);
    }
    await expect(async () => {
      await page.goto(ending.path);
      await expect(
        page.getByRole("heading", { name: texts.over["share-expired"].title }),
      ).toBeVisible({
        timeout: 1_000,
      });
    }).toPass();
    await expectAccessible(page);
    await page.context().close();
  });

  test("a link whose downloads are used up says so, and offers none", async ({
    browser,
    site,
    newPerson,
  }) => {
    const owner = await newPerson("owner");
    const file = await putFile(owner, owner.root, "a.txt", "the content");
    const link = await makeLink(owner, file.id, { downloads: 1 });
    const page = await stranger(browser, site, face);
    await page.goto(link.path);
    const button = page.getByRole("link", { name: texts.download, exact: true });
    await expect(button).toBeVisible();
    // Somebody else is faster.
    const other = await newPerson("other");
    const taken = await other.api.get(
      `/api/v1/public/shares/${link.token}/nodes/${file.id}/content`,
    );
    expect(taken.status()).toBe(200);
    await press(button);
    const said = texts["used-up"].replace("{owner}", owner.name);
    await expect(page.getByRole("alert")).toHaveText(said);
    await expect(button).toHaveCount(0);
    await page.reload();
    await expect(page.getByRole("alert")).toHaveText(said);
    await expectAccessible(page);
    await page.context().close();
  });

  test("a shared folder is walked through, and had whole or in parts", async ({
    browser,
    site,
    newPerson,
  }) => {
    const owner = await newPerson("owner");
    const top = await makeFolder(owner, owner.root, "trip");
    const inner = await makeFolder(owner, top.id, "day one");
    await putFile(owner, inner.id, LONG, "the content");
    await putFile(owner, top.id, "map.pdf", "%PDF");
    const link = await makeLink(owner, top.id, { code: "generated" });
    const page = await stranger(browser, site, face);
    // The code is in the part of the address that browsers keep.
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.goto(`${link.path}#${link.code}`);
    await expect(page.getByRole("heading", { name: "trip" })).toBeVisible();
    expect(asked.filter((url) => url.includes(link.code ?? "?"))).toEqual([]);
    await expectNoSideways(page);
    await expectAccessible(page);
    const [all] = await Promise.all([
      page.waitForEvent("download"),
      press(page.getByRole("link", { name: texts.zip })),
    ]);
    expect(all.suggestedFilename()).toBe("trip.zip");
    await press(page.getByRole("link", { name: "day one", exact: true }));
    await expect(page).toHaveURL(new RegExp(`${link.token}/${inner.id}$`));
    const path = page.getByRole("navigation", { name: texts.list.path });
    await expect(path).toContainText("day one");
    await expectNoSideways(page);
    await expectAccessible(page);
    const one = page.getByRole("link", { name: texts["download-one"].replace("{name}", LONG) });
    const [single] = await Promise.all([page.waitForEvent("download"), press(one)]);
    expect(await readFile(await single.path(), "utf8")).toBe("the content");
    const [part] = await Promise.all([
      page.waitForEvent("download"),
      press(page.getByRole("link", { name: texts["zip-folder"] })),
    ]);
    expect(part.suggestedFilename()).toBe("day one.zip");
    // The way is known after a reload, too.
    await page.reload();
    await expect(path).toContainText("day one");
    await press(path.getByRole("link", { name: "trip" }));
    await expect(page.getByText("map.pdf")).toBeVisible();
    await page.goto(`${link.path}/${owner.root}`);
    await expect(page.getByRole("heading", { name: texts.over.inside.title })).toBeVisible();
    await page.context().close();
  });

  test("a stranger is led to the sign-in and back", async ({ browser, site, newPerson }) => {
    const owner = await newPerson("owner");
    const file = await putFile(owner, owner.root, "a.txt", "the content");
    const link = await makeLink(owner, file.id);
    const page = await stranger(browser, site, face);
    await page.goto(link.path);
    await press(page.getByRole("link", { name: texts.save["sign-in"] }));
    await expect(page).toHaveURL(new RegExp(`/sign-in\\?next=/s/${link.token}$`));
    await signIn(page, await newPerson("saver"));
    await page.reload();
    await expect(page).toHaveURL(new RegExp(`${link.path}$`));
    await expect(page.getByRole("button", { name: texts.save.action })).toBeVisible();
    await page.context().close();
  });

  test("what is shared is saved to one's own drive", async ({ browser, site, newPerson }) => {
    const [owner, saver] = [await newPerson("owner"), await newPerson("saver")];
    const file = await putFile(owner, owner.root, "a.txt", "the content");
    const link = await makeLink(owner, file.id, { code: "generated" });
    const page = await stranger(browser, site, face);
    await signIn(page, saver);
    await page.goto(`${link.path}#${link.code}`);
    await press(page.getByRole("button", { name: texts.save.action }));
    await press(page.getByRole("dialog").getByRole("button", { name: texts.save.here }));
    await expect(page.getByRole("status").filter({ hasText: "a.txt" })).toBeVisible();
    const children = await saver.api.get(`/api/v1/nodes/root/children`);
    const { rows } = (await children.json()) as { rows: { name: string }[] };
    expect(rows.map((row) => row.name)).toEqual(["a.txt"]);
    await page.context().close();
  });

  test("what strangers see stands in nobody's way", async ({ browser, site, newPerson }) => {
    const owner = await newPerson("owner");
    const top = await makeFolder(owner, owner.root, "trip");
    const empty = await makeFolder(owner, top.id, "nothing yet");
    const file = await putFile(owner, top.id, LONG, "the content");
    const page = await stranger(browser, site, face);
    const used = await makeLink(owner, file.id, { downloads: 1 });
    const other = await newPerson("other");
    await other.api.get(`/api/v1/public/shares/${used.token}/nodes/${file.id}/content`);
    const coded = await makeLink(owner, file.id, { code: "generated" });
    const folder = await makeLink(owner, top.id);
    const withdrawn = await makeLink(owner, top.id);
    await withdraw(owner, withdrawn);
    for (const [path, seen] of [
      [used.path, texts["used-up"].replace("{owner}", owner.name)],
      [coded.path, texts.code.title],
      [folder.path, "nothing yet"],
      [`${folder.path}/${empty.id}`, texts.list.empty],
      [withdrawn.path, texts.over["share-revoked"].title],
    ] as const) {
      await page.goto(path);
      await expect(page.getByText(seen).first()).toBeVisible();
      await expectAccessible(page);
      await expectNoSideways(page);
    }
    await page.context().close();
  });
});

// Once for all: it takes its time until the wait is long.
test("after too many wrong codes even the right one has to wait, in both languages and on a phone", async ({
  browser,
  site,
  newPerson,
}) => {
  const owner = await newPerson("owner");
  const file = await putFile(owner, owner.root, "a.txt", "the content");
  const link = await makeLink(owner, file.id, { code: { chosen: "open42" } });
  const seen: { page: Page; face: Face }[] = [];
  for (const face of facesWith("zh-CN")) {
    const page = await stranger(browser, site, face);
    await page.goto(link.path);
    await page.getByLabel(face.t("public.code.label"), { exact: true }).fill("open42");
    seen.push({ page, face });
  }
  // Each wrong one makes the wait longer, until it is longer than the next presses may take.
  const visitor = await request.newContext({ baseURL: site.drive });
  await expect
    .poll(
      async () => {
        const path = `/api/v1/public/shares/${link.token}/grant`;
        const answer = await visitor.post(path, { data: { code: "wrong1" } });
        return ((await answer.json()) as { retry_after_s?: number }).retry_after_s ?? 0;
      },
      { timeout: 40_000 },
    )
    .toBeGreaterThan(12);
  await visitor.dispose();
  for (const { page, face } of seen) {
    await face.press(page.getByRole("button", { name: face.t("public.code.action") }));
    const [before = "", after = ""] = face.t("public.code.wait").split("{when}");
    await expect(page.getByRole("alert")).toContainText(before);
    await expect(page.getByRole("alert")).toContainText(after);
  }
  for (const { page } of seen) {
    await expectAccessible(page);
    await expectNoSideways(page);
    await page.context().close();
  }
});
