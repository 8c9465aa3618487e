/** What is done with keys alone, which phones have not. */
import { expect, expectAccessible, makeFolder, onDesktops, putFile, rowOf, test } from "./kit";

onDesktops(({ t }) => {
  test("a file is found, chosen, cut and pasted without a pointer", async ({ drive, person }) => {
    const folder = await makeFolder(person, person.root, "target");
    for (const name of ["alpha.txt", "beta.txt", "gamma.txt"]) {
      await putFile(person, person.root, name, name);
    }
    const row = (name: string) => rowOf(drive, name);
    const chosen = (count: number) =>
      expect(drive.getByRole("toolbar", { name: t("files.bar") })).toContainText(
        t("files.chosen", { count }),
      );
    await drive.goto("/files");
    await expect(row("gamma.txt")).toBeVisible();
    // Where the keyboard is nowhere its arrows go to the list.
    await drive.keyboard.press("ArrowDown");
    await expect(row("target")).toBeFocused();
    await drive.keyboard.press("g");
    await expect(row("gamma.txt")).toBeFocused();
    await drive.keyboard.press("Home");
    await drive.keyboard.press("ArrowDown");
    await expect(row("alpha.txt")).toBeFocused();
    await drive.keyboard.press("Shift+ArrowDown");
    await expect(row("beta.txt")).toBeFocused();
    await chosen(2);
    await drive.keyboard.press("ControlOrMeta+ArrowDown");
    await drive.keyboard.press("ControlOrMeta+Space");
    await chosen(3);
    await drive.keyboard.press("ControlOrMeta+Space");
    await chosen(2);

    await drive.keyboard.press("ControlOrMeta+x");
    await drive.keyboard.press("Home");
    await expect(row("target")).toBeFocused();
    await drive.keyboard.press("Enter");
    await expect(drive).toHaveURL(new RegExp(`/files/${folder.id}$`));
    await expect(drive.getByRole("heading", { name: t("files.empty.title") })).toBeVisible();
    await drive.keyboard.press("ControlOrMeta+v");
    await expect(row("beta.txt")).toBeFocused();
    await expect(row("alpha.txt")).toBeVisible();
    await drive.keyboard.press("Backspace");
    await expect(row("target")).toBeFocused();
    await expect(row("alpha.txt")).toBeHidden();
  });

  test("what is typed elsewhere while a name is saved stays there", async ({ drive, person }) => {
    await putFile(person, person.root, "a.txt", "a");
    await drive.goto("/files");
    let save = (): void => {};
    const saved = new Promise<void>((resolve) => {
      save = resolve;
    });
    await drive.route("**/api/v1/nodes/*", async (route) => {
      if (route.request().method() === "PATCH") await saved;
      await route.continue();
    });
    await rowOf(drive, "a.txt").click();
    await drive.keyboard.press("F2");
    await drive.keyboard.type("b");
    const box = drive.getByRole("searchbox");
    await box.click();
    save();
    await expect(rowOf(drive, "b.txt")).toBeVisible();
    await expect(box).toBeFocused();
  });

  test("a copy beside its original is another one", async ({ drive, person }) => {
    await putFile(person, person.root, "a.txt", "a");
    await drive.goto("/files");
    await rowOf(drive, "a.txt").click();
    await drive.keyboard.press("ControlOrMeta+c");
    await drive.keyboard.press("ControlOrMeta+v");
    await expect(drive.locator("[data-id]")).toHaveCount(2);
  });

  test("the keys of the row's buttons are the row's, and its menu gives the keyboard back", async ({
    drive,
    person,
  }) => {
    const name = "a.txt";
    await putFile(person, person.root, name, "a");
    await drive.goto("/files");
    const row = rowOf(drive, name);
    await row.focus();
    await drive.keyboard.press("Tab");
    await expect(row.getByRole("button", { name: t("files.share", { name }) })).toBeFocused();
    await drive.keyboard.press("Tab");
    await drive.keyboard.press("Tab");
    await expect(row.getByRole("button", { name: t("files.more", { name }) })).toBeFocused();
    await drive.keyboard.press("Enter");
    await expect(drive.getByRole("menu")).toBeVisible();
    await drive.getByRole("menuitem", { name: t("actions.rename") }).press("Enter");
    await expect(drive.getByLabel(t("files.new-name", { name }))).toBeFocused();
    await drive.keyboard.press("Escape");
    await expect(row).toBeFocused();
  });

  test("all keys are shown, those of actions from where they are made", async ({ drive }) => {
    await drive.goto("/files");
    await expect(drive.getByRole("heading", { level: 1 })).toBeVisible();
    await drive.keyboard.press("?");
    const dialog = drive.getByRole("dialog", { name: t("frame.me.keys") });
    for (const key of ["Ctrl+A", "F2", "Del", "N", "U", "Space", "/"]) {
      await expect(dialog.getByText(key, { exact: true })).toBeVisible();
    }
    await expectAccessible(drive);
    await drive.keyboard.press("Escape");
    await expect(dialog).toBeHidden();
  });
});
