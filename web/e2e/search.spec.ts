import {
  act,
  expect,
  expectAccessible,
  expectNoSideways,
  makeFolder,
  onFaces,
  putFile,
  rowOf,
  test,
} from "./kit";

onFaces("en", (face) => {
  const { press, t } = face;

  test("a name is found in whatever folder it is, and its folder is opened at it", async ({
    drive,
    person,
  }) => {
    const folder = await makeFolder(person, person.root, "合同");
    const name = "租房合同 2026.pdf";
    await putFile(person, folder.id, name, "x");
    await putFile(person, folder.id, "other.txt", "x");
    await drive.goto("/files");
    const box = drive.getByRole("searchbox");
    await press(box);
    await box.fill("租房");
    await drive.keyboard.press("Enter");
    await expect(drive.getByRole("heading", { level: 1 })).toHaveText(
      t("files.found", { q: "租房" }),
    );
    const row = rowOf(drive, "租房合同");
    await expect(row).toContainText("合同");
    await expect(drive.locator("[data-id]")).toHaveCount(1);
    await expectAccessible(drive);
    await expectNoSideways(drive);
    await act(face, drive, name, "locate");
    await expect(drive).toHaveURL(new RegExp(`/files/${folder.id}$`));
    await expect(row).toBeFocused();
  });

  test("more words than the drive looks for find what has the first of them", async ({
    drive,
    person,
  }) => {
    const name = "one two three four five six seven eight nine.txt";
    await putFile(person, person.root, name, "x");
    await drive.goto("/files");
    const box = drive.getByRole("searchbox");
    await press(box);
    await box.fill(name);
    await drive.keyboard.press("Enter");
    await expect(drive).toHaveURL(/\/search/);
    await expect(drive.getByRole("heading", { level: 1 })).toContainText("one two three");
    await expect(rowOf(drive, name)).toBeVisible();
  });

  test("a search that finds nothing says what to try", async ({ drive }) => {
    await drive.goto("/search?q=zzzz");
    await expect(
      drive.getByRole("heading", { name: t("files.found-none.title", { q: "zzzz" }) }),
    ).toBeVisible();
    await expect(drive.getByText(t("files.found-none.text"))).toBeVisible();
    await expectAccessible(drive);
    await expectNoSideways(drive);
  });

  test("recent files stand under their days, and open from there", async ({ drive, person }) => {
    await putFile(person, person.root, "today.txt", "what it says");
    await drive.goto("/recent");
    await expect(drive.getByRole("rowheader", { name: t("files.days.today") })).toBeVisible();
    await expectAccessible(drive);
    await expectNoSideways(drive);
    await press(rowOf(drive, "today.txt").getByRole("button", { name: "today.txt", exact: true }));
    await expect(drive.getByRole("dialog").getByText("what it says")).toBeVisible();
  });
});
