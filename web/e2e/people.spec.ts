import { randomBytes } from "node:crypto";
import type { Locator, Page } from "@playwright/test";
import enPeople from "../src/i18n/en/people.json" with { type: "json" };
import enProblems from "../src/i18n/en/problems.json" with { type: "json" };
import zhPeople from "../src/i18n/zh-CN/people.json" with { type: "json" };
import zhProblems from "../src/i18n/zh-CN/problems.json" with { type: "json" };
import {
  choose,
  expect,
  expectAccessible,
  LANGUAGES,
  PASSWORD,
  type Person,
  PHONE,
  signIn,
  test,
} from "./kit";

const texts = {
  en: { ...enPeople, problems: enProblems },
  "zh-CN": { ...zhPeople, problems: zhProblems },
};

/** The two fields and the button of a form. */
function form(
  page: Page,
  locale: (typeof LANGUAGES)[number],
): Record<"name" | "password", Locator> {
  const words = texts[locale];
  return {
    name: page.getByLabel(words["user-name"], { exact: true }),
    password: page.getByLabel(words.password, { exact: true }),
  };
}

const someName = (): string => `new-${randomBytes(4).toString("hex")}`;

/** No screen is wider than the window. */
async function expectNoSideways(page: Page): Promise<void> {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  expect(wide).toBe(false);
}

for (const locale of LANGUAGES) {
  const words = texts[locale];

  test(`whoever signs up is signed in and sees their files (${locale})`, async ({ page }) => {
    await choose(page, { locale });
    await page.goto("/sign-in");
    await page.getByRole("link", { name: words["sign-in"]["other-link"] }).click();
    const { name, password } = form(page, locale);
    await expect(name).toBeFocused();
    await name.fill(someName());
    await password.fill(PASSWORD);
    await page.getByRole("button", { name: words["sign-up"].action }).click();
    await expect(page).toHaveURL(/\/files$/);
    expect((await page.request.get("/api/v1/me")).status()).toBe(200);
  });

  test(`what can't be a name or a password is said below its field (${locale})`, async ({
    page,
    person,
  }) => {
    await choose(page, { locale });
    await page.goto("/sign-up");
    const { name, password } = form(page, locale);
    const make = page.getByRole("button", { name: words["sign-up"].action });
    await name.fill("a");
    await password.fill("seven77");
    await make.click();
    await expect(name).toHaveAccessibleDescription(words["sign-up"]["name-length"]);
    await expect(password).toHaveAccessibleDescription(words["sign-up"]["password-short"]);
    await expect(name).toBeFocused();
    await expectAccessible(page);
    await name.fill(person.name);
    await password.fill("password1");
    await make.click();
    await expect(password).toHaveAccessibleDescription(words.problems["password-refused"]);
    await password.fill(PASSWORD);
    await make.click();
    await expect(name).toHaveAccessibleDescription(words.problems["user-name-taken"]);
    await expect(page).toHaveURL(/\/sign-up$/);
  });

  test(`a wrong password is refused in one sentence, the right one lets in (${locale})`, async ({
    page,
    person,
  }) => {
    await choose(page, { locale });
    await page.goto("/sign-in");
    const { name, password } = form(page, locale);
    const enter = page.getByRole("button", { name: words["sign-in"].action });
    await enter.click();
    await expect(name).toHaveAccessibleDescription(words["name-needed"]);
    await name.fill(person.name);
    await password.fill("not the password");
    await enter.click();
    await expect(page.getByRole("alert")).toHaveText(words.problems["sign-in-failed"]);
    await expect(password).toBeFocused();
    await expectAccessible(page);
    await password.fill(person.password);
    await password.press("Enter");
    await expect(page).toHaveURL(/\/files$/);
  });

  for (const theme of ["light", "dark"] as const) {
    test(`both doors fit a phone and stand in nobody's way (${locale}, ${theme})`, async ({
      page,
    }) => {
      await choose(page, { locale, theme });
      await page.setViewportSize(PHONE);
      for (const door of ["sign-in", "sign-up"] as const) {
        await page.goto(`/${door}`);
        await expect(page.getByRole("heading", { name: words[door].title })).toBeVisible();
        await expectNoSideways(page);
        await expectAccessible(page);
      }
    });
  }

  test(`a drive that lets nobody sign up offers it to nobody, and says whom to ask (${locale})`, async ({
    page,
    person,
  }) => {
    await choose(page, { locale });
    await page.route("**/api/v1/about", (route) =>
      route.fulfill({ json: { version: "1", open_registration: false } }),
    );
    const told = page.waitForResponse("**/api/v1/about");
    await page.goto("/sign-in");
    await (await told).finished();
    await expect(page.getByRole("heading", { name: words["sign-in"].title })).toBeVisible();
    await expect(page.getByText(words["sign-in"]["other-link"])).toBeHidden();
    await expectAccessible(page);
    // Whoever has the address, or a bookmark.
    await page.goto("/sign-up");
    await expect(page.getByRole("status").first()).toContainText(words["sign-up"]["closed-text"]);
    await expectAccessible(page);
    await page.getByRole("link", { name: words["sign-up"]["other-link"] }).click();
    const { name, password } = form(page, locale);
    await name.fill(person.name);
    await password.fill(person.password);
    await password.press("Enter");
    await expect(page).toHaveURL(/\/files$/);
  });

  test(`a drive that is closed meanwhile says whom to ask (${locale})`, async ({ page }) => {
    await choose(page, { locale });
    await page.route("**/api/v1/accounts", (route) =>
      route.fulfill({
        status: 403,
        contentType: "application/problem+json",
        json: { code: "registration-closed", status: 403, title: "", type: "", detail: "" },
      }),
    );
    await page.goto("/sign-up");
    const { name, password } = form(page, locale);
    await name.fill(someName());
    await password.fill(PASSWORD);
    await page.getByRole("button", { name: words["sign-up"].action }).click();
    await expect(page.getByRole("status").first()).toContainText(words["sign-up"]["closed-text"]);
    await expectAccessible(page);
  });

  test(`an account that is accepted and not there yet is waited for (${locale})`, async ({
    page,
    site,
  }) => {
    await choose(page, { locale });
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
    const { name, password } = form(page, locale);
    await name.fill(someName());
    await password.fill(PASSWORD);
    await page.getByRole("button", { name: words["sign-up"].action }).click();
    await expect(page.getByRole("status").first()).toContainText(words["sign-up"]["waiting-text"]);
    await expect(page).toHaveURL(/\/files$/);
  });
}

test("after the sign-in somebody is where they wanted to go", async ({ page, person }) => {
  await choose(page, { locale: "en" });
  await page.goto("/account?tab=1");
  await expect(page).toHaveURL(/\/sign-in\?next=/);
  const { name, password } = form(page, "en");
  await name.fill(person.name);
  await password.fill(person.password);
  await password.press("Enter");
  await expect(page).toHaveURL(/\/account\?tab=1$/);
});

test("after the sign-in nobody is led to another page", async ({ page, person }) => {
  await choose(page, { locale: "en" });
  await page.goto("/sign-in?next=//example.org/");
  const { name, password } = form(page, "en");
  await name.fill(person.name);
  await password.fill(person.password);
  await password.press("Enter");
  await expect(page).toHaveURL(/\/files$/);
});

test("whoever signs out is at the sign-in and has no session", async ({ drive }) => {
  await choose(drive, { locale: "en" });
  await drive.goto("/files");
  await drive.getByRole("button", { name: "Account menu" }).click();
  await drive.getByRole("menuitem", { name: "Sign out" }).click();
  await expect(drive).toHaveURL(/\/sign-in/);
  await expect(drive.getByText(enPeople["signed-out"])).toBeHidden();
  expect((await drive.request.get("/api/v1/me")).status()).toBe(401);
});

test("whoever is signed out meanwhile is told so, and comes back to where they were", async ({
  drive,
  person,
}: {
  drive: Page;
  person: Person;
}) => {
  await choose(drive, { locale: "en" });
  await drive.goto("/nowhere");
  // The page knows who it is.
  await expect(drive.getByRole("button", { name: "Account menu" })).toHaveText(/^p$/);
  expect((await person.api.delete("/api/v1/sessions")).status()).toBe(204);
  await drive.getByRole("button", { name: "Account menu" }).click();
  await drive.getByRole("menuitem", { name: "Account" }).click();
  await expect(drive).toHaveURL(/\/sign-in\?next=\/account/);
  await expect(drive.getByRole("status").first()).toContainText(enPeople["signed-out"]);
  const { name, password } = form(drive, "en");
  await name.fill(person.name);
  await password.fill(person.password);
  await password.press("Enter");
  await expect(drive).toHaveURL(/\/account$/);
});

test("language and theme can be chosen before anybody is signed in", async ({ page }) => {
  await choose(page, { locale: "en", theme: "light" });
  await page.goto("/sign-in");
  await page.getByRole("button", { name: "English" }).click();
  await page.getByRole("menuitem", { name: "简体中文" }).click();
  await expect(page.getByRole("heading", { name: zhPeople["sign-in"].title })).toBeVisible();
  await page.getByRole("button", { name: zhPeople.appearance.light }).click();
  await page.getByRole("menuitem", { name: zhPeople.appearance.dark }).click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
});

test("a password is shown on demand", async ({ page }) => {
  await choose(page, { locale: "en" });
  await page.goto("/sign-in");
  const { password } = form(page, "en");
  await password.fill("secret");
  await expect(password).toHaveAttribute("type", "password");
  await page.getByRole("button", { name: enPeople.show }).click();
  await expect(password).toHaveAttribute("type", "text");
});

test("somebody who is signed in does not see the sign-in", async ({ page, person }) => {
  await signIn(page, person);
  await page.goto("/sign-in");
  await expect(page).toHaveURL(/\/files$/);
});
