import { request } from "@playwright/test";
import en from "../src/i18n/en/account.json" with { type: "json" };
import enCommon from "../src/i18n/en/common.json" with { type: "json" };
import zh from "../src/i18n/zh-CN/account.json" with { type: "json" };
import zhCommon from "../src/i18n/zh-CN/common.json" with { type: "json" };
import { choose, expect, expectAccessible, LANGUAGES, PHONE, shot, signIn, test } from "./kit";

const texts = { en: { ...en, common: enCommon }, "zh-CN": { ...zh, common: zhCommon } };

for (const locale of LANGUAGES) {
  const words = texts[locale];

  test(`a profile is changed, and what is no address is said below its field (${locale})`, async ({
    drive,
    person,
  }) => {
    await choose(drive, { locale });
    await drive.goto("/account");
    const profile = drive.getByRole("region", { name: words.profile.title, exact: true });
    const save = profile.getByRole("button", { name: words.common.save });
    await expect(save).toBeDisabled();
    await profile.getByLabel(words.profile["nick-name"]).fill("李雷");
    await profile.getByLabel(words.profile.email).fill("no address");
    await save.click();
    await expect(profile.getByLabel(words.profile.email)).toHaveAccessibleDescription(
      words.profile["email-invalid"],
    );
    await profile.getByLabel(words.profile.email).fill("lilei@example.org");
    await save.click();
    await expect(drive.getByText(words.profile.saved)).toBeVisible();
    const me = (await (await person.api.get("/api/v1/me")).json()) as Record<string, unknown>;
    expect(me).toMatchObject({ nick_name: "李雷", email: "lilei@example.org", phone: null });
  });

  test(`another password ends the other sign-ins, whose page goes to the door (${locale})`, async ({
    drive,
    person,
    browser,
    site,
  }) => {
    await choose(drive, { locale });
    const other = await browser.newContext({ baseURL: site.url });
    const elsewhere = await other.newPage();
    await choose(elsewhere, { locale });
    await signIn(elsewhere, person);
    await elsewhere.goto("/nowhere");

    await drive.goto("/account");
    const part = drive.getByRole("region", { name: words.password.title, exact: true });
    const [old, next] = [
      part.getByLabel(words.password.old, { exact: true }),
      part.getByLabel(words.password.new, { exact: true }),
    ];
    await old.fill("not the password");
    await next.fill("another sentence");
    await part.getByRole("button", { name: words.password.action }).click();
    await expect(old).toHaveAccessibleDescription(words.password["old-wrong"]);
    await old.fill(person.password);
    await part.getByRole("button", { name: words.password.action }).click();
    await expect(drive.getByText(words.password.changed)).toBeVisible();
    const sessions = drive.getByRole("region", { name: words.sessions.title });
    await expect(sessions.getByRole("listitem")).toHaveCount(1);
    await expect(sessions.getByText(words.sessions.present)).toBeVisible();

    await elsewhere.getByRole("button", { name: /Account menu|帐号菜单/ }).click();
    await elsewhere.getByRole("menuitem").first().click();
    await expect(elsewhere).toHaveURL(/\/sign-in\?next=\/account/);
    await other.close();
  });

  test(`a token that is made works, and one that is ended does not (${locale})`, async ({
    drive,
    site,
  }) => {
    await choose(drive, { locale });
    await drive.goto("/account");
    // Two dialogs are looked at by axe on the way.
    test.slow();
    const part = drive.getByRole("region", { name: words.tokens.title });
    await expect(part.getByText(words.tokens.none)).toBeVisible();
    await part.getByRole("button", { name: words.tokens.make }).click();
    const dialog = drive.getByRole("dialog");
    await expectAccessible(drive);
    await dialog.getByRole("button", { name: words.tokens.action }).click();
    await expect(
      dialog.getByLabel(words.tokens.label, { exact: true }),
    ).toHaveAccessibleDescription(words.tokens["label-needed"]);
    await dialog.getByLabel(words.tokens.label, { exact: true }).fill("backup");
    await dialog.getByRole("button", { name: words.tokens.action }).click();
    const token = (await dialog.locator("[data-token]").textContent()) ?? "";
    await expectAccessible(drive);
    await dialog.getByRole("button", { name: words.tokens.done }).click();

    const program = await request.newContext({
      baseURL: site.drive,
      extraHTTPHeaders: { authorization: `Bearer ${token}` },
    });
    expect((await program.get("/api/v1/nodes/root/children")).status()).toBe(200);
    await expect(drive.getByText(token)).toBeHidden();
    await part
      .getByRole("button", { name: words.tokens["end-label"].replace("{name}", "backup") })
      .click();
    await drive.getByRole("dialog").getByRole("button", { name: words.tokens.end }).click();
    await expect(part.getByText(words.tokens.none)).toBeVisible();
    // What a token may do is remembered for a second.
    await expect
      .poll(async () => (await program.get("/api/v1/nodes/root/children")).status())
      .toBe(401);
    await program.dispose();
  });

  test(`another sign-in is ended from the list (${locale})`, async ({ drive, person }) => {
    await choose(drive, { locale });
    await drive.goto("/account");
    const part = drive.getByRole("region", { name: words.sessions.title });
    // The page's, and the one that the test asks the API by.
    await expect(part.getByRole("listitem")).toHaveCount(2);
    await part.getByRole("listitem").getByRole("button").click();
    await expect(part.getByRole("listitem")).toHaveCount(1);
    expect((await person.api.get("/api/v1/me")).status()).toBe(401);
  });

  test(`old clients are allowed with the password, and refused again (${locale})`, async ({
    drive,
    person,
  }) => {
    await choose(drive, { locale });
    await drive.goto("/account");
    const part = drive.getByRole("region", { name: words.old.title });
    await part.getByRole("button", { name: words.old.allow }).click();
    const dialog = drive.getByRole("dialog");
    await dialog.getByLabel(words.old.password, { exact: true }).fill(person.password);
    await dialog.getByRole("button", { name: words.old.allow }).click();
    await expect(part.getByText(words.old.allowed, { exact: true })).toBeVisible();
    await part.getByRole("button", { name: words.old.refuse }).click();
    await expect(part.getByText(words.old.refused, { exact: true })).toBeVisible();
  });

  for (const theme of ["light", "dark"] as const) {
    test(`the account fits a phone and stands in nobody's way (${locale}, ${theme})`, async ({
      drive,
      person,
    }) => {
      await choose(drive, { locale, theme });
      const label = "a token with a very long name 32";
      const made = await person.api.post("/api/v1/tokens", {
        data: { label, scopes: ["read", "write", "share"] },
      });
      expect(made.status()).toBe(201);
      await drive.goto("/account");
      await expect(drive.getByText(label)).toBeVisible();
      await expectAccessible(drive);
      await shot(drive, `account-${locale}-${theme}`, 2600);
      await drive.setViewportSize(PHONE);
      const wide = await drive.evaluate(() => {
        const main = document.querySelector("main");
        return main ? main.scrollWidth > main.clientWidth : true;
      });
      expect(wide).toBe(false);
      await expectAccessible(drive);
      await shot(drive, `account-phone-${locale}-${theme}`, 3400);
    });
  }
}
