import { expect, makeFolder, putFile, test } from "./kit";

const t = { bar: "With what is selected" };

test("a file is found, chosen, cut and pasted without a pointer", async ({ drive, person }) => {
  const folder = await makeFolder(person, person.root, "target");
  for (const name of ["alpha.txt", "beta.txt", "gamma.txt"]) {
    await putFile(person, person.root, name, name);
  }
  const row = (name: string) => drive.getByRole("row").filter({ hasText: name });
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
  await expect(drive.getByRole("toolbar", { name: t.bar })).toContainText("2 selected");
  await drive.keyboard.press("ControlOrMeta+ArrowDown");
  await drive.keyboard.press("ControlOrMeta+Space");
  await expect(drive.getByRole("toolbar", { name: t.bar })).toContainText("3 selected");
  await drive.keyboard.press("ControlOrMeta+Space");
  await expect(drive.getByRole("toolbar", { name: t.bar })).toContainText("2 selected");

  await drive.keyboard.press("ControlOrMeta+x");
  await drive.keyboard.press("Home");
  await expect(row("target")).toBeFocused();
  await drive.keyboard.press("Enter");
  await expect(drive).toHaveURL(new RegExp(`/files/${folder.id}$`));
  await expect(drive.getByRole("heading", { name: "This folder is empty" })).toBeVisible();
  await drive.keyboard.press("ControlOrMeta+v");
  await expect(row("beta.txt")).toBeFocused();
  await expect(row("alpha.txt")).toBeVisible();
  await drive.keyboard.press("Backspace");
  await expect(row("target")).toBeFocused();
  await expect(row("alpha.txt")).toBeHidden();
});

test("a copy beside its original is another one", async ({ drive, person }) => {
  await putFile(person, person.root, "a.txt", "a");
  await drive.goto("/files");
  await drive.getByRole("row").filter({ hasText: "a.txt" }).click();
  await drive.keyboard.press("ControlOrMeta+c");
  await drive.keyboard.press("ControlOrMeta+v");
  await expect(drive.locator("[data-id]")).toHaveCount(2);
});

test("the keys of the row's buttons are the row's, and its menu gives the keyboard back", async ({
  drive,
  person,
}) => {
  await putFile(person, person.root, "a.txt", "a");
  await drive.goto("/files");
  const row = drive.getByRole("row").filter({ hasText: "a.txt" });
  await row.focus();
  await drive.keyboard.press("Tab");
  await expect(row.getByRole("button", { name: "Share a.txt" })).toBeFocused();
  await drive.keyboard.press("Tab");
  await drive.keyboard.press("Tab");
  await expect(row.getByRole("button", { name: "More for a.txt" })).toBeFocused();
  await drive.keyboard.press("Enter");
  await expect(drive.getByRole("menu")).toBeVisible();
  await drive.getByRole("menuitem", { name: "Rename" }).press("Enter");
  await expect(drive.getByLabel("New name of a.txt")).toBeFocused();
  await drive.keyboard.press("Escape");
  await expect(row).toBeFocused();
});

test("all keys are shown, those of actions from where they are made", async ({ drive }) => {
  await drive.goto("/files");
  await expect(drive.getByRole("heading", { level: 1 })).toBeVisible();
  await drive.keyboard.press("?");
  const dialog = drive.getByRole("dialog", { name: "Keyboard" });
  for (const key of ["Ctrl+A", "F2", "Del", "N", "U", "Space", "/"]) {
    await expect(dialog.getByText(key, { exact: true })).toBeVisible();
  }
  await drive.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
});
