import { choose, expect, expectAccessible, LANGUAGES, test } from "./kit";

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
