/**
 * The pictures in `docs/images`, taken of a drive that runs: `npm run images`. Each screen is in both languages.
 */
import { fileURLToPath } from "node:url";
import type { Page } from "@playwright/test";
import { choose, expect, LANGUAGES, makeFolder, type Person, putFile, signIn, test } from "./kit";
import { type Paint, pdf, png, wav } from "./made";
import { texts } from "./texts";

const FOLDER = fileURLToPath(new URL("../../docs/images/", import.meta.url));
const VIEW = { width: 1280, height: 760 };
test.use({ viewport: VIEW });
// Memory is all that it costs, and 60 pictures are painted one by one.
test.setTimeout(180_000);

type Colour = readonly [number, number, number];

/** Hills before a sky with a sun, in the colours of a time of day. */
function landscape(sky: Colour, earth: Colour, seed: number): Paint {
  const mix = (a: Colour, b: Colour, part: number): Colour => [
    a[0] + (b[0] - a[0]) * part,
    a[1] + (b[1] - a[1]) * part,
    a[2] + (b[2] - a[2]) * part,
  ];
  const PALE: Colour = [255, 246, 225];
  return (x, y) => {
    for (let ridge = 3; ridge >= 0; ridge -= 1) {
      const top =
        0.5 +
        ridge * 0.13 +
        Math.sin(x * (4 + ridge * 2) + seed + ridge * 1.7) * 0.07 +
        Math.sin(x * 17 + seed * ridge) * 0.012;
      if (y > top && (ridge === 3 || y < top + 0.6))
        return mix(mix(sky, PALE, 0.35), earth, 0.3 + ridge * 0.23);
    }
    const sun = Math.hypot((x - 0.68) * 1.5, y - 0.24);
    return sun < 0.075 ? PALE : mix(sky, PALE, Math.max(y * 1.3, 0.5 - sun));
  };
}

const PICTURES: [string, Colour, Colour][] = [
  ["dawn.png", [236, 150, 120], [70, 50, 80]],
  ["lake.png", [90, 160, 210], [20, 70, 80]],
  ["dunes.png", [240, 190, 110], [150, 80, 40]],
  ["ridge.png", [120, 130, 190], [40, 45, 90]],
  ["meadow.png", [130, 190, 220], [60, 110, 50]],
  ["dusk.png", [190, 110, 150], [50, 30, 70]],
  ["fog.png", [170, 180, 185], [70, 85, 90]],
  ["evening.png", [245, 130, 80], [90, 35, 50]],
];

const WORDS = {
  en: {
    folders: ["Photos", "Contracts", "Team handbook"],
    trip: "Autumn trip",
    files: ["Budget 2027.xlsx", "Release notes.md", "Interview.wav", "Offer.pdf"],
    name: "Lin Fang",
  },
  "zh-CN": {
    folders: ["照片", "合同", "团队手册"],
    trip: "秋游",
    files: ["2027 年预算.xlsx", "发布说明.md", "访谈录音.wav", "报价单.pdf"],
    name: "林芳",
  },
};
const NOTES = "# 1.0\n\n- Folders can be dropped.\n- Links can end.\n\n```sh\ncairn up\n```\n";

/** Fills a drive; answers the folder of pictures. */
async function fill(who: Person, words: (typeof WORDS)["en"]): Promise<string> {
  await who.api.patch("/api/v1/me", { data: { nick_name: words.name } });
  const made: string[] = [];
  for (const name of words.folders) made.push((await makeFolder(who, who.root, name)).id);
  const [sheet = "", notes = "", sound = "", offer = ""] = words.files;
  await putFile(who, who.root, sheet, Buffer.alloc(48_213, "sheet"));
  await putFile(who, who.root, notes, NOTES);
  await putFile(who, who.root, sound, wav(30));
  await putFile(who, who.root, offer, pdf(words.name, 2));
  const trip = await makeFolder(who, who.root, words.trip);
  for (const [at, [name, sky, earth]] of PICTURES.entries()) {
    await putFile(who, trip.id, name, png(960, 640, 255, landscape(sky, earth, at * 2.1)));
  }
  return trip.id;
}

/** Waits until everything that is shown is there, and keeps it. */
async function keep(page: Page, name: string): Promise<void> {
  await expect(page.getByRole("status", { name: /Loading|正在加载/ })).toBeHidden();
  await expect
    .poll(() =>
      page.evaluate(() =>
        [...document.images].every((image) => image.complete && image.naturalWidth > 0),
      ),
    )
    .toBe(true);
  await page.screenshot({ path: `${FOLDER}${name}.png`, animations: "disabled" });
}

for (const locale of LANGUAGES) {
  const words = WORDS[locale];
  const t = texts(locale);
  const theme = locale === "en" ? "light" : "dark";

  test(`pictures of the screens (${locale})`, async ({ drive, person }) => {
    await choose(drive, { locale, theme });
    const trip = await fill(person, words);
    const offer = words.files[3] ?? "";

    await drive.goto("/files");
    await drive.getByRole("row").filter({ hasText: offer }).click();
    await keep(drive, `files-${locale}`);

    await drive.goto(`/files/${trip}`);
    await drive.getByRole("button", { name: t("files.view.grid") }).click();
    await expect(drive.locator("[data-id] img")).toHaveCount(PICTURES.length);
    await keep(drive, `pictures-${locale}`);

    await drive.goto(`/files/${trip}`);
    await drive.locator("[data-id]").filter({ hasText: "lake.png" }).focus();
    await drive.keyboard.press("Space");
    await expect(drive.getByRole("dialog").getByRole("img", { name: "lake.png" })).toBeVisible();
    await keep(drive, `preview-${locale}`);
  });

  test(`pictures of administration (${locale})`, async ({ page, site, person }) => {
    await choose(page, { locale, theme });
    await fill(person, words);
    await signIn(page, site.admin);
    await page.goto("/admin/cluster");
    await expect(page.locator("[data-sentence]")).toBeVisible();
    await keep(page, `cluster-${locale}`);
  });
}
