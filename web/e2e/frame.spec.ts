import type { Locator } from "@playwright/test";
import {
  expect,
  expectAccessible,
  expectNoSideways,
  expectStill,
  makeFolder,
  onFaces,
  shot,
  test,
} from "./kit";

/** Places that the frame leads to; the last three are in the menu of a phone's bar. */
const PLACES = ["files", "recent", "shares", "popular", "pictures", "trash"];

onFaces("en", ({ locale, phone, press, t }) => {
  test("an address that leads nowhere says so and leads home", async ({ drive }) => {
    await drive.goto("/nowhere/at/all");
    const home = drive.getByRole("link", { name: t("frame.not-found.home") });
    await expectAccessible(drive);
    await press(home);
    await expect(drive).toHaveURL(/\/files$/);
  });

  test("the frame leads to every screen, whose titles are of one size", async ({
    drive,
    person,
  }) => {
    const folder = await makeFolder(person, person.root, "trip");
    const title = drive.getByRole("main").getByRole("heading", { level: 1 });
    await drive.goto(`/files/${folder.id}`);
    await expect(title).toHaveText("trip");
    await expect(title).toHaveCSS("font-size", "16px");
    const nav = drive.getByRole("navigation", { name: t("frame.nav.main") });
    for (const [at, place] of PLACES.entries()) {
      const name = t(`frame.nav.${place}`);
      if (phone && at >= 3) {
        await nav.getByRole("button", { name: t("common.more") }).tap();
        await drive.getByRole("menuitem", { name, exact: true }).tap();
      } else await press(nav.getByRole("link", { name, exact: true }));
      await expect(title, place).toHaveText(name);
      await expect(title, place).toHaveCSS("font-size", "16px");
      // What stands beside it leaves it whole.
      const cut = (): Promise<number> => title.evaluate((one) => one.scrollWidth - one.clientWidth);
      await expect.poll(cut, { message: place }).toBe(0);
      await expectNoSideways(drive);
    }
    await press(drive.getByRole("button", { name: t("frame.me.label") }));
    await press(drive.getByRole("menuitem", { name: t("frame.me.account") }));
    await expect(drive).toHaveURL(/\/account$/);
    await expect(title).toHaveCSS("font-size", "16px");
    await drive.goto("/search?q=a");
    await expect(title).toHaveCSS("font-size", "16px");
  });

  test("what floats comes from where it is going to be", async ({ drive }) => {
    const browser = await drive.context().newCDPSession(drive);
    await browser.send("Animation.enable");
    /** Where it is in the first moment, and in the end. */
    const comes = async (what: Locator): Promise<void> => {
      await expect(what).toBeVisible();
      const first = await what.boundingBox();
      await browser.send("Animation.setPlaybackRate", { playbackRate: 1 });
      await expectStill(drive);
      const last = await what.boundingBox();
      await browser.send("Animation.setPlaybackRate", { playbackRate: 0 });
      // A few pixels up.
      expect(first?.x).toBe(last?.x);
      expect((first?.y ?? 0) - (last?.y ?? 0)).toBeCloseTo(4, 0);
    };
    await drive.goto("/account");
    const mine = drive.getByRole("button", { name: t("frame.me.label") });
    await expect(drive.getByRole("main")).toBeVisible();
    await browser.send("Animation.setPlaybackRate", { playbackRate: 0 });
    await press(mine);
    await comes(drive.getByRole("menu"));
    await press(drive.getByRole("menuitem", { name: t("frame.me.keys") }));
    await comes(drive.getByRole("dialog"));
  });

  test("language and theme are chosen, and kept", async ({ drive }) => {
    await drive.goto("/account");
    const other = locale === "en" ? "简体中文" : "English";
    const looks = drive.getByRole("region", { name: t("account.looks.title") });
    await expect(looks).toBeVisible();
    await press(drive.getByRole("button", { name: t("frame.theme.label") }));
    await press(drive.getByRole("menuitem", { name: t("frame.theme.dark") }));
    await expect(drive.locator("html")).toHaveAttribute("data-theme", "dark");
    if (phone) await looks.getByRole("radio", { name: other }).tap();
    else {
      await drive.getByRole("button", { name: t("frame.language.label") }).click();
      await drive.getByRole("menuitem", { name: other }).click();
    }
    const lang = locale === "en" ? "zh-CN" : "en";
    await expect(drive.locator("html")).toHaveAttribute("lang", lang);
    await drive.reload();
    await expect(drive.locator("html")).toHaveAttribute("lang", lang);
    await expect(drive.locator("html")).toHaveAttribute("data-theme", "dark");
  });
});

test("a page whose scripts do not come says that it is to be loaded again", async ({ page }) => {
  await page.route(/\.js(\?|$)/, (route) => route.abort());
  await page.goto("/");
  for (const words of [/请刷新/, /Please reload it/])
    await expect(page.getByText(words)).toBeVisible();
  await shot(page, "unloaded");
  await page.unroute(/\.js(\?|$)/);
  await page.reload();
  await expect(page.getByRole("textbox").first()).toBeVisible();
  await expect(page.getByText(/请刷新/)).toHaveCount(0);
});

test("a tab of an older version loads the page anew when a screen's script is gone", async ({
  drive,
}) => {
  await drive.goto("/files");
  // A folder can be made where one is shown.
  await expect(drive.getByText(/文件夹是空的|This folder is empty/)).toBeVisible();
  let old = true;
  drive.on("request", (request) => {
    if (request.isNavigationRequest()) old = false;
  });
  await drive.route(/\.js(\?|$)/, (route) =>
    old ? route.fulfill({ status: 404, body: "" }) : route.continue(),
  );
  // What the drive serves now names another script than that of this tab.
  await drive.route(/\/(shares)?$/, async (route) => {
    const page = await (await route.fetch()).text();
    await route.fulfill({
      contentType: "text/html",
      body: old ? page.replaceAll(/index-[\w-]+\.js/g, "index-new.js") : page,
    });
  });
  // A dialog loads nothing anew: something may be going on.
  await drive.keyboard.press("n");
  await expect(drive.getByText(/页面已有新版本|a newer version of this page/)).toBeVisible();
  expect(old).toBe(true);
  await drive.locator('a[href="/shares"]').first().click();
  await expect(drive).toHaveURL(/\/shares$/);
  await expect(drive.getByRole("main")).toBeVisible();
  expect(old).toBe(false);
});

test("while only the entry answers the page waits, and goes on when the drive is back", async ({
  drive,
}) => {
  await drive.goto("/files");
  await expect(drive.getByRole("main")).toBeVisible();
  let loaded = 0;
  drive.on("request", (request) => {
    if (request.isNavigationRequest()) loaded += 1;
  });
  let away = true;
  await drive.route(/./, (route) =>
    away && !route.request().url().endsWith("/healthz")
      ? route.fulfill({ status: 502, body: "" })
      : route.continue(),
  );
  const asked = drive.waitForResponse(
    (answer) => answer.url().endsWith("/shares") && answer.status() === 502,
  );
  await drive.locator('a[href="/shares"]').first().click();
  await asked;
  away = false;
  await expect(drive).toHaveURL(/\/shares$/, { timeout: 40_000 });
  await expect(drive.getByRole("main")).toBeVisible();
  expect(loaded).toBe(0);
});
