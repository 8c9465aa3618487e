import { request } from "@playwright/test";
import en from "../src/i18n/en/account.json" with { type: "json" };
import enCommon from "../src/i18n/en/common.json" with { type: "json" };
import zh from "../src/i18n/zh-CN/account.json" with { type: "json" };
import zhCommon from "../src/i18n/zh-CN/common.json" with { type: "json" };
import {
  browserOf,
  expect,
  expectAccessible,
  expectNoSideways,
  onFaces,
  shot,
  signIn,
  test,
} from "./kit";

const texts = { en: { ...en, common: enCommon }, "zh-CN": { ...zh, common: zhCommon } };

onFaces("en", (face) => {
  const { locale, phone, press, t } = face;
  const words = texts[locale];

  test("a profile is changed, and what is no address is said below its field", async ({
    drive,
    person,
  }) => {
    await drive.goto("/account");
    const profile = drive.getByRole("region", { name: words.profile.title, exact: true });
    const save = profile.getByRole("button", { name: words.common.save });
    await expect(save).toBeDisabled();
    await profile.getByLabel(words.profile["nick-name"]).fill("李雷");
    await profile.getByLabel(words.profile.email).fill("no address");
    await press(save);
    await expect(profile.getByLabel(words.profile.email)).toHaveAccessibleDescription(
      words.profile["email-invalid"],
    );
    await profile.getByLabel(words.profile.email).fill("lilei@example.org");
    await press(save);
    await expect(drive.getByText(words.profile.saved)).toBeVisible();
    const me = (await (await person.api.get("/api/v1/me")).json()) as Record<string, unknown>;
    expect(me).toMatchObject({ nick_name: "李雷", email: "lilei@example.org", phone: null });
  });

  test("another password ends the other sign-ins, whose page goes to the door", async ({
    drive,
    person,
    browser,
    site,
  }) => {
    const other = await browser.newContext({ baseURL: site.url, ...browserOf(face) });
    const elsewhere = await other.newPage();
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
    await press(part.getByRole("button", { name: words.password.action }));
    await expect(old).toHaveAccessibleDescription(words.password["old-wrong"]);
    await old.fill(person.password);
    await press(part.getByRole("button", { name: words.password.action }));
    await expect(drive.getByText(words.password.changed)).toBeVisible();
    const sessions = drive.getByRole("region", { name: words.sessions.title });
    await expect(sessions.getByRole("listitem")).toHaveCount(1);
    await expect(sessions.getByText(words.sessions.present)).toBeVisible();

    // Who asked just before is known for a second.
    await expect.poll(async () => (await elsewhere.request.get("/api/v1/me")).status()).toBe(401);
    await press(elsewhere.getByRole("button", { name: t("frame.me.label") }));
    await press(elsewhere.getByRole("menuitem").first());
    await expect(elsewhere).toHaveURL(/\/sign-in\?next=\/account/);
    await other.close();
  });

  test("a token that is made works, and one that is ended does not", async ({ drive, site }) => {
    await drive.goto("/account");
    // Two dialogs are looked at by axe on the way.
    test.slow();
    const part = drive.getByRole("region", { name: words.tokens.title });
    await expect(part.getByText(words.tokens.none)).toBeVisible();
    await press(part.getByRole("button", { name: words.tokens.make }));
    const dialog = drive.getByRole("dialog");
    await expectAccessible(drive);
    await press(dialog.getByRole("button", { name: words.tokens.action }));
    await expect(
      dialog.getByLabel(words.tokens.label, { exact: true }),
    ).toHaveAccessibleDescription(words.tokens["label-needed"]);
    await dialog.getByLabel(words.tokens.label, { exact: true }).fill("backup");
    await press(dialog.getByRole("button", { name: words.tokens.action }));
    const token = (await dialog.locator("[data-token]").textContent()) ?? "";
    await expectAccessible(drive);
    await press(dialog.getByRole("button", { name: words.tokens.done }));

    const program = await request.newContext({
      baseURL: site.drive,
      extraHTTPHeaders: { authorization: `Bearer ${token}` },
    });
    expect((await program.get("/api/v1/nodes/root/children")).status()).toBe(200);
    await expect(drive.getByText(token)).toBeHidden();
    await press(
      part.getByRole("button", { name: words.tokens["end-label"].replace("{name}", "backup") }),
    );
    await press(drive.getByRole("dialog").getByRole("button", { name: words.tokens.end }));
    await expect(part.getByText(words.tokens.none)).toBeVisible();
    // What a token may do is remembered for a second.
    await expect
      .poll(async () => (await program.get("/api/v1/nodes/root/children")).status())
      .toBe(401);
    await program.dispose();
  });

  test("another sign-in is ended from the list", async ({ drive, person }) => {
    await drive.goto("/account");
    const part = drive.getByRole("region", { name: words.sessions.title });
    // The page's, and the one that the test asks the API by.
    await expect(part.getByRole("listitem")).toHaveCount(2);
    await press(part.getByRole("listitem").getByRole("button"));
    await expect(part.getByRole("listitem")).toHaveCount(1);
    await expect.poll(async () => (await person.api.get("/api/v1/me")).status()).toBe(401);
  });

  test("old clients are allowed with the password, and refused again", async ({
    drive,
    person,
  }) => {
    await drive.goto("/account");
    const part = drive.getByRole("region", { name: words.old.title });
    await press(part.getByRole("button", { name: words.old.allow }));
    const dialog = drive.getByRole("dialog");
    await dialog.getByLabel(words.old.password, { exact: true }).fill(person.password);
    await press(dialog.getByRole("button", { name: words.old.allow }));
    await expect(part.getByText(words.old.allowed, { exact: true })).toBeVisible();
    await press(part.getByRole("button", { name: words.old.refuse }));
    await expect(part.getByText(words.old.refused, { exact: true })).toBeVisible();
  });

  test("the account stands in nobody's way", async ({ drive, person }) => {
    const label = "a token with a very long name 32";
    const made = await person.api.post("/api/v1/tokens", {
      data: { label, scopes: ["read", "write", "share"] },
    });
    expect(made.status()).toBe(201);
    await drive.goto("/account");
    await expect(drive.getByText(label)).toBeVisible();
    await expectAccessible(drive);
    await expectNoSideways(drive);
    await shot(drive, `account-${phone ? "phone-" : ""}${locale}`, phone ? 3400 : 2600);
  });
});
