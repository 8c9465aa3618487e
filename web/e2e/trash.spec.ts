import {
  act,
  chooseRow,
  expect,
  expectAccessible,
  expectNoSideways,
  makeFolder,
  onFaces,
  type Person,
  putFile,
  rowOf,
  test,
} from "./kit";

async function remove(person: Person, id: string): Promise<void> {
  const answer = await person.api.delete(`/api/v1/nodes/${id}`);
  expect(answer.status(), await answer.text()).toBe(200);
}

async function childrenOf(person: Person, folder: string): Promise<string[]> {
  const answer = await person.api.get(`/api/v1/nodes/${folder}/children`);
  return ((await answer.json()) as { rows: { name: string }[] }).rows.map((one) => one.name);
}

onFaces("zh-CN", (face) => {
  const { phone, press, t } = face;

  test("what was deleted is restored, and goes back with undo", async ({ drive, person }) => {
    const folder = await makeFolder(person, person.root, "项目");
    await remove(person, (await putFile(person, folder.id, "a.txt", "a")).id);
    await drive.goto("/trash");
    const row = rowOf(drive, "a.txt");
    await expect(row).toContainText("项目");
    await expectAccessible(drive);
    await expectNoSideways(drive);
    await chooseRow(face, row);
    await press(drive.getByRole("button", { name: t("actions.restore"), exact: true }));
    await expect(drive.getByRole("heading", { name: t("trash.empty.title") })).toBeVisible();
    await expect.poll(() => childrenOf(person, folder.id)).toEqual(["a.txt"]);
    await expectAccessible(drive);
    await press(drive.getByRole("button", { name: t("common.undo") }));
    await expect(row).toBeVisible();
    await expect.poll(() => childrenOf(person, folder.id)).toEqual([]);
  });

  test("what was in a folder that is gone is restored elsewhere", async ({ drive, person }) => {
    const folder = await makeFolder(person, person.root, "gone");
    const other = await makeFolder(person, person.root, "other");
    await remove(person, (await putFile(person, folder.id, "a.txt", "a")).id);
    await remove(person, folder.id);
    await drive.goto("/trash");
    const row = rowOf(drive, "a.txt");
    await expect(row).toContainText(t("trash.from-gone"));
    if (phone) await act(face, drive, "a.txt", "restore");
    else {
      await row.focus();
      await drive.keyboard.press("Enter");
    }
    const dialog = drive.getByRole("dialog");
    await press(dialog.getByRole("button", { name: "other" }));
    await expect(dialog.getByText(t("files.no-folders"))).toBeVisible();
    await expectNoSideways(drive);
    await press(dialog.getByRole("button", { name: t("actions.restore-here") }));
    await expect(row).toBeHidden();
    await expect.poll(() => childrenOf(person, other.id)).toEqual(["a.txt"]);
  });

  test("deleting for good asks first, by name or number", async ({ drive, person }) => {
    for (const name of ["a.txt", "b.txt", "c.txt"]) {
      await remove(person, (await putFile(person, person.root, name, name)).id);
    }
    await drive.goto("/trash");
    const rows = drive.locator("[data-id]");
    const dialog = drive.getByRole("dialog", {
      name: t("actions.purge-title", { name: "b.txt", count: 1 }),
    });
    if (phone) await act(face, drive, "b.txt", "purge");
    else {
      await rowOf(drive, "b.txt").click();
      await drive.keyboard.press("Delete");
    }
    await expect(dialog).toBeVisible();
    await expectAccessible(drive);
    await press(dialog.getByRole("button", { name: t("common.cancel") }));
    await expect(rows).toHaveCount(3);
    await act(face, drive, "b.txt", "purge");
    await press(dialog.getByRole("button", { name: t("actions.purge") }));
    await expect(rows).toHaveCount(2);

    await press(drive.getByRole("button", { name: t("actions.empty-trash") }));
    await press(
      drive
        .getByRole("dialog", { name: t("actions.empty-trash-title") })
        .getByRole("button", { name: t("actions.empty-trash") }),
    );
    await expect(drive.getByRole("heading", { name: t("trash.empty.title") })).toBeVisible();
  });
});
