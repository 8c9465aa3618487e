import { choose, expect, expectAccessible, LANGUAGES, makeFolder, putFile, test } from "./kit";
import { texts } from "./texts";

for (const locale of LANGUAGES) {
  const t = texts(locale);

  test(`a name is found in whatever folder it is, and its folder is opened at it (${locale})`, async ({
    drive,
    person,
  }) => {
    await choose(drive, { locale });
    const folder = await makeFolder(person, person.root, "合同");
    await putFile(person, folder.id, "租房合同 2026.pdf", "x");
    await putFile(person, folder.id, "other.txt", "x");
    await drive.goto("/files");
    await drive.getByRole("searchbox").fill("租房");
    await drive.keyboard.press("Enter");
    await expect(drive.getByRole("heading", { level: 1 })).toHaveText(
      t("files.found", { q: "租房" }),
    );
    const row = drive.getByRole("row").filter({ hasText: "租房合同" });
    await expect(row).toContainText("合同");
    await expect(drive.locator("[data-id]")).toHaveCount(1);
    await expectAccessible(drive);
    await row.click({ button: "right" });
    await drive.getByRole("menuitem", { name: t("actions.locate") }).click();
    await expect(drive).toHaveURL(new RegExp(`/files/${folder.id}$`));
    await expect(row).toBeFocused();
  });

  test(`a search that finds nothing says what to try (${locale})`, async ({ drive }) => {
    await choose(drive, { locale });
    await drive.goto("/search?q=zzzz");
    await expect(
      drive.getByRole("heading", { name: t("files.found-none.title", { q: "zzzz" }) }),
    ).toBeVisible();
    await expect(drive.getByText(t("files.found-none.text"))).toBeVisible();
    await expectAccessible(drive);
  });

  test(`recent files stand under their days (${locale})`, async ({ drive, person }) => {
    await choose(drive, { locale });
    await putFile(person, person.root, "today.txt", "x");
    await drive.goto("/recent");
    await expect(drive.getByRole("rowheader", { name: t("files.days.today") })).toBeVisible();
    await expect(drive.getByRole("row").filter({ hasText: "today.txt" })).toBeVisible();
    await expectAccessible(drive);
  });
}
