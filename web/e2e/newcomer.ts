/**
 * Somebody who has just started Cairn: signs in at the address that it printed, uploads a file, and shares it with somebody
 * who has no account. `cargo xtask newcomer` runs it; `NEWCOMER_URL` and `NEWCOMER_PASSWORD` are what was printed.
 */
import { readFile } from "node:fs/promises";
import { expect, test } from "@playwright/test";
import enActions from "../src/i18n/en/actions.json" with { type: "json" };
import enFrame from "../src/i18n/en/frame.json" with { type: "json" };
import enPeople from "../src/i18n/en/people.json" with { type: "json" };
import enPublic from "../src/i18n/en/public.json" with { type: "json" };
import enShares from "../src/i18n/en/shares.json" with { type: "json" };
import zhActions from "../src/i18n/zh-CN/actions.json" with { type: "json" };
import zhFrame from "../src/i18n/zh-CN/frame.json" with { type: "json" };
import zhPeople from "../src/i18n/zh-CN/people.json" with { type: "json" };
import zhPublic from "../src/i18n/zh-CN/public.json" with { type: "json" };
import zhShares from "../src/i18n/zh-CN/shares.json" with { type: "json" };

const TEXTS = {
  en: { ...enPeople, frame: enFrame, share: enActions.share, shares: enShares, public: enPublic },
  "zh-CN": {
    ...zhPeople,
    frame: zhFrame,
    share: zhActions.share,
    shares: zhShares,
    public: zhPublic,
  },
};

for (const [locale, texts] of Object.entries(TEXTS)) {
  test(`a file is shared by somebody who came for the first time (${locale})`, async ({
    browser,
  }) => {
    const baseURL = process.env.NEWCOMER_URL;
    const password = process.env.NEWCOMER_PASSWORD ?? "";
    // The language is the browser's: nobody has chosen one yet.
    const permissions = ["clipboard-read", "clipboard-write"];
    const owner = await browser.newContext({ locale, permissions, ...(baseURL && { baseURL }) });
    const page = await owner.newPage();
    await page.goto("/");
    await page.getByLabel(texts["user-name"], { exact: true }).fill("admin");
    await page.getByLabel(texts.password, { exact: true }).fill(password);
    await page.getByRole("button", { name: texts["sign-in"].action }).click();
    const name = `${locale}.txt`;
    const [chooser] = await Promise.all([
      page.waitForEvent("filechooser"),
      page.getByRole("button", { name: texts.frame.upload, exact: true }).first().click(),
    ]);
    const buffer = Buffer.from(`the first file, ${locale}`);
    await chooser.setFiles([{ name, mimeType: "text/plain", buffer }]);
    const row = page.getByRole("row").filter({ hasText: name });
    await row.hover();
    await row.getByRole("button", { name: texts.share }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: texts.shares.copy.both }).click();
    await expect
      .poll(() => page.evaluate(() => navigator.clipboard.readText()))
      .toMatch(/https?:\/\/\S+\/s\//);
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    const link = /https?:\/\/\S+\/s\/\S+/.exec(copied)?.[0] ?? "";
    const code = /(\w+)\s*$/.exec(copied)?.[1] ?? "";
    await owner.close();

    const stranger = await browser.newContext({ locale });
    const view = await stranger.newPage();
    await view.goto(link);
    await view.getByLabel(texts.public.code.label, { exact: true }).fill(code);
    await view.keyboard.press("Enter");
    await expect(view.getByRole("heading", { name })).toBeVisible();
    const [fetched] = await Promise.all([
      view.waitForEvent("download"),
      view.getByRole("link", { name: texts.public.download, exact: true }).click(),
    ]);
    expect(await readFile(await fetched.path(), "utf8")).toBe(buffer.toString());
    await stranger.close();
  });
}
