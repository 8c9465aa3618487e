import { randomBytes } from "node:crypto";
import type { Locator, Page } from "@playwright/test";
import {
  expect,
  expectAccessible,
  expectNoSideways,
  onFaces,
  PASSWORD,
  type Person,
  signIn,
  test,
} from "./kit";

const someName = (): string => `new-${randomBytes(4).toString("hex")}`;

onFaces("zh-CN", ({ locale, press, t }) => {
  /** The two fields of a form. */
  const form = (page: Page): Record<"name" | "password", Locator> => ({
    name: page.getByLabel(t("people.user-name"), { exact: true }),
    password: page.getByLabel(t("people.password"), { exact: true }),
  });
  /** Signs in with the form that is shown. */
  const enter = async (page: Page, who: Person): Promise<void> => {
    const { name, password } = form(page);
    await name.fill(who.name);
    await password.fill(who.password);
    await password.press("Enter");
  };
  const makeAccount = async (page: Page): Promise<void> => {
    const { name, password } = form(page);
    await name.fill(someName());
    await password.fill(PASSWORD);
    await press(page.getByRole("button", { name: t("people.sign-up.action") }));
  };
  const menu = (page: Page): Locator => page.getByRole("button", { name: t("frame.me.label") });

  test("whoever signs up is signed in and sees their files", async ({ page }) => {
    await page.goto("/sign-in");
    await expect(page.getByRole("heading", { name: t("people.sign-in.title") })).toBeVisible();
    await expectNoSideways(page);
    await press(page.getByRole("link", { name: t("people.sign-in.other-link") }));
    await expect(page.getByRole("heading", { name: t("people.sign-up.title") })).toBeVisible();
    await expect(form(page).name).toBeFocused();
    await expectNoSideways(page);
    await expectAccessible(page);
    await makeAccount(page);
    await expect(page).toHaveURL(/\/files$/);
    expect((await page.request.get("/api/v1/me")).status()).toBe(200);
  });

  test("what can't be a name or a password is said below its field", async ({ page, person }) => {
    await page.goto("/sign-up");
    const { name, password } = form(page);
    const make = page.getByRole("button", { name: t("people.sign-up.action") });
    await name.fill("a");
    await password.fill("seven77");
    await press(make);
    await expect(name).toHaveAccessibleDescription(t("people.sign-up.name-length"));
    await expect(password).toHaveAccessibleDescription(t("people.sign-up.password-short"));
    await expect(name).toBeFocused();
    await expectNoSideways(page);
    await expectAccessible(page);
    await name.fill(person.name);
    await password.fill("password1");
    await press(make);
    await expect(password).toHaveAccessibleDescription(t("problems.password-refused"));
    await password.fill(PASSWORD);
    await press(make);
    await expect(name).toHaveAccessibleDescription(t("problems.user-name-taken"));
    await expect(page).toHaveURL(/\/sign-up$/);
  });

  test("a wrong password is refused in one sentence, the right one lets in", async ({
    page,
    person,
  }) => {
    await page.goto("/sign-in");
    const { name, password } = form(page);
    const action = page.getByRole("button", { name: t("people.sign-in.action") });
    await press(action);
    await expect(name).toHaveAccessibleDescription(t("people.name-needed"));
    await name.fill(person.name);
    // What is typed is shown on demand.
    await password.fill("not the password");
    await expect(password).toHaveAttribute("type", "password");
    await press(page.getByRole("button", { name: t("people.show") }));
    await expect(password).toHaveAttribute("type", "text");
    await press(action);
    await expect(page.getByRole("alert")).toHaveText(t("problems.sign-in-failed"));
    await expect(password).toBeFocused();
    await expectAccessible(page);
    await enter(page, person);
    await expect(page).toHaveURL(/\/files$/);
  });

  test("a drive that lets nobody sign up offers it to nobody, and says whom to ask", async ({
    page,
    person,
  }) => {
    await page.route("**/api/v1/about", (route) =>
      route.fulfill({ json: { version: "1", open_registration: false } }),
    );
    const told = page.waitForResponse("**/api/v1/about");
    await page.goto("/sign-in");
    await (await told).finished();
    await expect(page.getByRole("heading", { name: t("people.sign-in.title") })).toBeVisible();
    await expect(page.getByText(t("people.sign-in.other-link"))).toBeHidden();
    await expectAccessible(page);
    // Whoever has the address, or a bookmark.
    await page.goto("/sign-up");
    await expect(page.getByRole("status").first()).toContainText(t("people.sign-up.closed-text"));
    await expectAccessible(page);
    await press(page.getByRole("link", { name: t("people.sign-up.other-link") }));
    await enter(page, person);
    await expect(page).toHaveURL(/\/files$/);
  });

  test("a drive that is closed meanwhile says whom to ask", async ({ page }) => {
    await page.route("**/api/v1/accounts", (route) =>
      route.fulfill({
        status: 403,
        contentType: "application/problem+json",
        json: { code: "registration-closed", status: 403, title: "", type: "", detail: "" },
      }),
    );
    await page.goto("/sign-up");
    await makeAccount(page);
    await expect(page.getByRole("status").first()).toContainText(t("people.sign-up.closed-text"));
  });

  test("an account that is accepted and not there yet is waited for", async ({ page, site }) => {
    const key = "0123456789abcdef0123456789abcdef";
    const record = { key, account: null, node: null, problem: null };
    let fields: unknown;
    await page.route("**/api/v1/accounts", (route) => {
      fields = route.request().postDataJSON();
      return route.fulfill({ status: 202, json: { ...record, state: "waiting" } });
    });
    await page.route(`**/api/v1/records/${key}`, async (route) => {
      // Meanwhile the database is back.
      const made = await page.request.post(`${site.drive}/api/v1/accounts`, { data: fields });
      expect(made.status()).toBe(201);
      await route.fulfill({ status: 200, json: { ...record, state: "applied", account: "9" } });
    });
    await page.goto("/sign-up");
    await makeAccount(page);
    await expect(page.getByRole("status").first()).toContainText(t("people.sign-up.waiting-text"));
    await expect(page).toHaveURL(/\/files$/);
  });

  test("whoever is signed out meanwhile is told so, and comes back to where they were", async ({
    drive,
    person,
  }) => {
    await drive.goto("/nowhere");
    // The page knows who it is.
    await expect(menu(drive)).toHaveText(/^p$/);
    expect((await person.api.delete("/api/v1/sessions")).status()).toBe(204);
    // Who asked just before is known for a second.
    await expect.poll(async () => (await drive.request.get("/api/v1/me")).status()).toBe(401);
    await press(menu(drive));
    await press(drive.getByRole("menuitem", { name: t("frame.me.account") }));
    await expect(drive).toHaveURL(/\/sign-in\?next=\/account/);
    await expect(drive.getByRole("status").first()).toContainText(t("people.signed-out"));
    await enter(drive, person);
    await expect(drive).toHaveURL(/\/account$/);
  });

  test("whoever signs out is at the sign-in and has no session", async ({ drive, person }) => {
    await drive.goto("/files");
    await press(menu(drive));
    await press(drive.getByRole("menuitem", { name: t("frame.me.sign-out") }));
    await expect(drive).toHaveURL(/\/sign-in/);
    await expect(drive.getByText(t("people.signed-out"))).toBeHidden();
    expect((await drive.request.get("/api/v1/me")).status()).toBe(401);
    // Somebody who wants to go somewhere is there after the sign-in.
    await drive.goto("/account?tab=1");
    await expect(drive).toHaveURL(/\/sign-in\?next=/);
    await enter(drive, person);
    await expect(drive).toHaveURL(/\/account\?tab=1$/);
  });

  test("language and theme can be chosen before anybody is signed in", async ({ page }) => {
    await page.goto("/sign-in");
    const own = locale === "en" ? "English" : "简体中文";
    const other = locale === "en" ? "简体中文" : "English";
    await press(page.getByRole("button", { name: t("frame.theme.system") }));
    await press(page.getByRole("menuitem", { name: t("frame.theme.dark") }));
    await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
    await press(page.getByRole("button", { name: own }));
    await press(page.getByRole("menuitem", { name: other }));
    await expect(page.getByRole("heading", { name: t("people.sign-in.title") })).toHaveCount(0);
    await expect(page.locator("html")).toHaveAttribute("lang", locale === "en" ? "zh-CN" : "en");
  });
});

test("after the sign-in nobody is led to another page", async ({ page, person }) => {
  await page.goto("/sign-in?next=//example.org/");
  await page.getByLabel("User name", { exact: true }).fill(person.name);
  await page.getByLabel("Password", { exact: true }).fill(person.password);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/files$/);
});

test("somebody who is signed in does not see the sign-in", async ({ page, person }) => {
  await signIn(page, person);
  await page.goto("/sign-in");
  await expect(page).toHaveURL(/\/files$/);
});
