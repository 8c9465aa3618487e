import {
  choose,
  expect,
  expectAccessible,
  LANGUAGES,
  makeFolder,
  type Person,
  putFile,
  test,
} from "./kit";
import { texts } from "./texts";

async function remove(person: Person, id: string): Promise<void> {
  const answer = await person.api.delete(`/api/v1/nodes/${id}`);
  expect(answer.status(), await answer.text()).toBe(200);
}

async function childrenOf(person: Person, folder: string): Promise<string[]> {
  const answer = await person.api.get(`/api/v1/nodes/${folder}/children`);
  return ((await answer.json()) as { rows: { name: string }[] }).rows.map((one) => one.name);
}

for (const locale of LANGUAGES) {
  const t = texts(locale);

  test(`what was deleted is restored, and goes back with undo (${locale})`, async ({
    drive,
    person,
  }) => {
    await choose(drive, { locale });
    const folder = await makeFolder(person, person.root, "项目");
    await remove(person, (await putFile(person, folder.id, "a.txt", "a")).id);
    await drive.goto("/trash");
    const row = drive.getByRole("row").filter({ hasText: "a.txt" });
    await expect(row).toContainText("项目");
    await expectAccessible(drive);
    await row.click();
    await drive.getByRole("button", { name: t("actions.restore"), exact: true }).click();
    await expect(drive.getByRole("heading", { name: t("trash.empty.title") })).toBeVisible();
    await expect.poll(() => childrenOf(person, folder.id)).toEqual(["a.txt"]);
    await expectAccessible(drive);
    await drive.getByRole("button", { name: t("common.undo") }).click();
    await expect(row).toBeVisible();
    await expect.poll(() => childrenOf(person, folder.id)).toEqual([]);
  });

  test(`what was in a folder that is gone is restored elsewhere (${locale})`, async ({
    drive,
    person,
  }) => {
    await choose(drive, { locale });
    const folder = await makeFolder(person, person.root, "gone");
    const other = await makeFolder(person, person.root, "other");
    await remove(person, (await putFile(person, folder.id, "a.txt", "a")).id);
    await remove(person, folder.id);
    await drive.goto("/trash");
    const row = drive.getByRole("row").filter({ hasText: "a.txt" });
    await expect(row).toContainText(t("trash.from-gone"));
    await row.focus();
    await drive.keyboard.press("Enter");
    const dialog = drive.getByRole("dialog");
    await dialog.getByRole("button", { name: "other" }).click();
    await expect(dialog.getByText(t("files.no-folders"))).toBeVisible();
    await dialog.getByRole("button", { name: t("actions.restore-here") }).click();
    await expect(row).toBeHidden();
    await expect.poll(() => childrenOf(person, other.id)).toEqual(["a.txt"]);
  });

  test(`deleting for good asks first, by name or number (${locale})`, async ({ drive, person }) => {
    await choose(drive, { locale });
    for (const name of ["a.txt", "b.txt", "c.txt"]) {
      await remove(person, (await putFile(person, person.root, name, name)).id);
    }
    await drive.goto("/trash");
    const rows = drive.locator("[data-id]");
    await drive.getByRole("row").filter({ hasText: "b.txt" }).click();
    await drive.keyboard.press("Delete");
    const dialog = drive.getByRole("dialog", {
      name: t("actions.purge-title", { name: "b.txt", count: 1 }),
    });
    await expectAccessible(drive);
    await dialog.getByRole("button", { name: t("common.cancel") }).click();
    await expect(rows).toHaveCount(3);
    await drive.keyboard.press("Delete");
    await dialog.getByRole("button", { name: t("actions.purge") }).click();
    await expect(rows).toHaveCount(2);

    await drive.getByRole("button", { name: t("actions.empty-trash") }).click();
    await drive
      .getByRole("dialog", { name: t("actions.empty-trash-title") })
      .getByRole("button", { name: t("actions.empty-trash") })
      .click();
    await expect(drive.getByRole("heading", { name: t("trash.empty.title") })).toBeVisible();
  });
}
