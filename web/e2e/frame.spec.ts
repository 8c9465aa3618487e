import { choose, expect, expectAccessible, LANGUAGES, makeFolder, test } from "./kit";

for (const locale of LANGUAGES) {
  test(`an address that leads nowhere says so and leads home (${locale})`, async ({ drive }) => {
    await choose(drive, { locale });
    await drive.goto("/nowhere/at/all");
    const home = drive.getByRole("link", {
      name: { en: "To my files", "zh-CN": "回到我的文件" }[locale],
    });
    await expectAccessible(drive);
    await home.click();
    await expect(drive).toHaveURL(/\/files$/);
  });
}

test("the titles of all screens are of one size", async ({ drive, person }) => {
  const folder = await makeFolder(person, person.root, "trip");
  await choose(drive, { locale: "en" });
  const places = ["recent", "search?q=a", "shares", "popular", "pictures", "trash", "account"];
  for (const place of ["files", `files/${folder.id}`, ...places]) {
    await drive.goto(`/${place}`);
    const title = drive.getByRole("main").getByRole("heading", { level: 1 });
    await expect(title, place).toHaveCSS("font-size", "16px");
  }
});
