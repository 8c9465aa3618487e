/**
 * Somebody at the page while everything is in use and members are killed: signs in, uploads a file, downloads it again and
 * compares. `cargo xtask soak` runs it about once a minute; `SOAK_URL`, `SOAK_USER` and `SOAK_PASSWORD` are where and who,
 * `SOAK_NAME` and `SOAK_LINES` make the file. What fails is said in one line, with what the browser saw.
 */
import { readFile } from "node:fs/promises";
import { expect, test } from "@playwright/test";
import files from "../src/i18n/en/files.json" with { type: "json" };
import frame from "../src/i18n/en/frame.json" with { type: "json" };
import people from "../src/i18n/en/people.json" with { type: "json" };

/** How long somebody waits for what they did. */
const PATIENCE_MS = 25_000;

const pathOf = (url: string) => new URL(url).pathname;

test("somebody signs in, uploads a file and downloads it", async ({ page }) => {
  test.setTimeout(5 * PATIENCE_MS);
  page.setDefaultTimeout(PATIENCE_MS);
  const seen: string[] = [];
  page.on("pageerror", (error) => seen.push(error.message));
  page.on("requestfailed", (request) =>
    seen.push(`${request.failure()?.errorText} ${pathOf(request.url())}`),
  );
  page.on("response", (answer) => {
    if (answer.status() >= 500) seen.push(`${answer.status()} ${pathOf(answer.url())}`);
  });
  const doing = async <T>(what: string, work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw new Error(`${what}: ${seen.at(0) ?? "waited in vain"}`, { cause: error });
    }
  };

  const name = process.env.SOAK_NAME ?? "";
  const lines = Array.from({ length: Number(process.env.SOAK_LINES) }, (_, n) => `${name} ${n}\n`);
  const buffer = Buffer.from(lines.join(""));
  await doing("open", page.goto(process.env.SOAK_URL ?? ""));
  const user = page.getByLabel(people["user-name"], { exact: true });
  await doing("show", user.fill(process.env.SOAK_USER ?? ""));
  const password = page.getByLabel(people.password, { exact: true });
  await password.fill(process.env.SOAK_PASSWORD ?? "");
  await page.getByRole("button", { name: people["sign-in"].action }).click();
  const upload = page.getByRole("button", { name: frame.upload, exact: true }).first();
  const chosen = Promise.all([page.waitForEvent("filechooser"), upload.click()]);
  const [chooser] = await doing("sign in", chosen);
  await chooser.setFiles([{ name, mimeType: "text/plain", buffer }]);
  const row = page.getByRole("row").filter({ hasText: name });
  await doing("upload", row.hover());
  const button = page.getByRole("button", { name: files.download.replace("{name}", name) });
  const fetching = Promise.all([page.waitForEvent("download"), button.click()]);
  const [fetched] = await doing("download", fetching);
  const read = await doing(
    "download",
    fetched.path().then((path) => readFile(path)),
  );
  expect(read.equals(buffer)).toBe(true);
});
