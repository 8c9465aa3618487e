import type { Locator, Page } from "@playwright/test";
import enCommon from "../src/i18n/en/common.json" with { type: "json" };
import en from "../src/i18n/en/preview.json" with { type: "json" };
import zhCommon from "../src/i18n/zh-CN/common.json" with { type: "json" };
import zh from "../src/i18n/zh-CN/preview.json" with { type: "json" };
import {
  choose,
  expect,
  expectAccessible,
  LANGUAGES,
  makeFolder,
  PHONE,
  putFile,
  test,
} from "./kit";
import { GB18030_HELLO, pdf, png, wav } from "./made";

const TEXTS = { en, "zh-CN": zh };
const COMMON = { en: enCommon, "zh-CN": zhCommon };
const HELLO = "你好，世界";

/** Opens a file of the list with the key for it. */
async function look(page: Page, name: string): Promise<Locator> {
  await page.goto("/files");
  await page.getByRole("row").filter({ hasText: name }).focus();
  await page.keyboard.press("Space");
  const preview = page.getByRole("dialog");
  await expect(preview.getByRole("heading", { level: 2 }).first()).toContainText(name);
  return preview;
}

test("arrows turn to the neighbours, and what closes it leaves the list as it was", async ({
  drive,
  person,
}) => {
  await choose(drive, { locale: "en" });
  for (const name of ["a.png", "b.png", "c.txt"]) {
    await putFile(person, person.root, name, name.endsWith("png") ? png(60, 40) : "text of c");
  }
  const preview = await look(drive, "b.png");
  await expect(preview).toContainText("2 of 3");
  await drive.keyboard.press("ArrowRight");
  await expect(preview.getByText("text of c")).toBeVisible();
  await drive.keyboard.press("ArrowRight");
  await expect(preview).toContainText("3 of 3");
  await drive.keyboard.press("ArrowLeft");
  await drive.keyboard.press("ArrowLeft");
  await expect(preview).toContainText("1 of 3");
  await expect(preview.getByRole("button", { name: en.before }).first()).toBeDisabled();
  await drive.keyboard.press("Space");
  await expect(preview).toBeHidden();
  await expect(drive.getByRole("row").filter({ hasText: /[abc]\.(png|txt)/ })).toHaveCount(3);
  await expect(drive.locator("[role=row]:focus, [role=row] :focus")).toHaveCount(1);

  await drive.keyboard.press("Space");
  await expect(preview).toBeVisible();
  await drive.keyboard.press("Escape");
  await expect(preview).toBeHidden();
});

test("Back leaves the preview, and only it", async ({ drive, person }) => {
  await choose(drive, { locale: "en" });
  const folder = await makeFolder(person, person.root, "trip");
  for (const name of ["a.txt", "b.txt"]) await putFile(person, folder.id, name, `text of ${name}`);
  const row = (name: string): Locator => drive.getByRole("row").filter({ hasText: name });
  const preview = drive.getByRole("dialog");
  await drive.goto("/files");
  await row("trip").focus();
  await drive.keyboard.press("Enter");
  await row("a.txt").focus();
  await drive.keyboard.press("Space");
  await expect(preview.getByText("text of a.txt")).toBeVisible();
  await drive.keyboard.press("ArrowRight");
  await expect(preview.getByText("text of b.txt")).toBeVisible();
  const inFolder = new RegExp(`/files/${folder.id}$`);
  await drive.evaluate(() => history.back());
  await expect(preview).toBeHidden();
  await expect(drive).toHaveURL(inFolder);
  await expect(row("b.txt")).toBeFocused();
  // What is closed by a key leaves nothing to go back to.
  for (const key of ["Escape", "Space"]) {
    await drive.keyboard.press("Space");
    await expect(preview.getByText("text of b.txt")).toBeVisible();
    await drive.keyboard.press(key);
    await expect(preview).toBeHidden();
    await expect(row("b.txt")).toBeFocused();
  }
  await expect(drive).toHaveURL(inFolder);
  await drive.goBack();
  await expect(drive).toHaveURL(/\/files$/);
  await expect(row("trip")).toBeVisible();
});

test("what is looked at is shared from there", async ({ drive, person }) => {
  await choose(drive, { locale: "en" });
  await putFile(person, person.root, "first.txt", "text of the first");
  const folder = await makeFolder(person, person.root, "trip");
  const file = await putFile(person, folder.id, "a.txt", "text of a");
  await drive.goto("/files");
  await drive.getByRole("row").filter({ hasText: "trip" }).focus();
  await drive.keyboard.press("Enter");
  await drive.getByRole("row").filter({ hasText: "a.txt" }).focus();
  await drive.keyboard.press("Space");
  const preview = drive.getByRole("dialog").filter({ hasText: "text of a" });
  const dialog = drive.getByRole("dialog", { name: /a\.txt/ }).filter({ hasText: "Copy link" });
  const share = async (): Promise<void> => {
    await preview.getByRole("button", { name: "Share", exact: true }).click();
    await expect(dialog).toBeVisible();
  };
  await share();
  await expectAccessible(drive);
  const answer = await person.api.get(`/api/v1/shares?node=${file.id}`);
  expect(((await answer.json()) as { rows: unknown[] }).rows).toHaveLength(1);
  // It was asked for over the preview, which stays: also when Back leaves it.
  await drive.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  await expect(preview).toBeVisible();
  await share();
  await drive.evaluate(() => history.back());
  await expect(dialog).toBeHidden();
  await expect(preview).toBeVisible();
  await drive.keyboard.press("Escape");
  await expect(preview).toBeHidden();
  await expect(drive).toHaveURL(new RegExp(`/files/${folder.id}$`));
});

test("a picture fits, and is looked at closely by wheel, keys and dragging", async ({
  drive,
  person,
}) => {
  await choose(drive, { locale: "en" });
  await putFile(person, person.root, "wide.png", png(3000, 900));
  const preview = await look(drive, "wide.png");
  const picture = preview.getByRole("img", { name: "wide.png" });
  await expect(picture).toHaveJSProperty("naturalWidth", 3000);
  await expect(preview.getByRole("button", { name: /^Zoom/ })).toHaveText("43%");
  const fitted = await picture.boundingBox();
  expect(fitted?.width).toBeLessThanOrEqual(1280);

  await drive.keyboard.press("1");
  await expect(preview.getByRole("button", { name: /^Zoom/ })).toHaveText("100%");
  const before = await picture.boundingBox();
  await drive.mouse.move(640, 400);
  await drive.mouse.down();
  await drive.mouse.move(540, 380, { steps: 4 });
  await drive.mouse.up();
  const after = await picture.boundingBox();
  expect((before?.x ?? 0) - (after?.x ?? 0)).toBeCloseTo(100, 0);
  await drive.keyboard.press("Shift+ArrowLeft");
  expect((await picture.boundingBox())?.x).toBeCloseTo((after?.x ?? 0) + 80, 0);

  await drive.mouse.wheel(0, 400);
  await expect(preview.getByRole("button", { name: /^Zoom/ })).toHaveText("50%");
  await drive.keyboard.press("0");
  expect(await picture.boundingBox()).toEqual(fitted);
  await preview.getByRole("button", { name: en.zoom.in }).click();
  await expect(preview.getByRole("button", { name: /^Zoom/ })).toHaveText("53%");
});

test("two fingers look closely, and one turns to the next picture", async ({ drive, person }) => {
  await choose(drive, { locale: "en" });
  await drive.setViewportSize(PHONE);
  for (const name of ["a.png", "b.png"]) await putFile(person, person.root, name, png(1440, 900));
  const preview = await look(drive, "a.png");
  const zoom = preview.getByRole("button", { name: /^Zoom/ });
  await expect(zoom).toHaveText("25%");
  const touch = await drive.context().newCDPSession(drive);
  type Finger = { x: number; y: number };
  const put = (
    type: "touchStart" | "touchMove" | "touchEnd",
    fingers: Finger[],
  ): Promise<unknown> =>
    touch.send("Input.dispatchTouchEvent", {
      type,
      touchPoints: fingers.map((finger, id) => ({ ...finger, id })),
    });
  const drag = async (from: Finger[], to: Finger[]): Promise<void> => {
    await put("touchStart", from);
    for (const part of [0.25, 0.5, 0.75, 1]) {
      const between = (a: number, b = a): number => a + (b - a) * part;
      await put(
        "touchMove",
        from.map(({ x, y }, i) => ({ x: between(x, to[i]?.x), y: between(y, to[i]?.y) })),
      );
    }
    await put("touchEnd", []);
  };
  const at = (x: number, y = 350): Finger => ({ x, y });

  // Twice as far apart, twice as large; then a finger moves it, and turns nothing.
  await drag([at(130), at(230)], [at(80), at(280)]);
  await expect(zoom).toHaveText("50%");
  const picture = preview.getByRole("img", { name: "a.png" });
  const before = await picture.boundingBox();
  await drag([at(200)], [at(100)]);
  expect((before?.x ?? 0) - ((await picture.boundingBox())?.x ?? 0)).toBeCloseTo(100, 0);
  await expect(preview).toContainText("a.png");
  await drag([at(80), at(280)], [at(130), at(230)]);
  await expect(zoom).toHaveText("25%");

  // Up and down, or not far, is no turn.
  await drag([at(180, 250)], [at(120, 450)]);
  await drag([at(180)], [at(150)]);
  await expect(preview).toContainText("a.png");
  await drag([at(280)], [at(80)]);
  await expect(preview).toContainText("b.png");
  await expect(zoom).toHaveText("25%");
  await drag([at(80)], [at(280)]);
  await expect(preview).toContainText("a.png");
});

test("a large picture is seen as its thumbnail until it has come", async ({ drive, person }) => {
  await choose(drive, { locale: "en" });
  // Bytes after its end make a picture large, and change nothing of it.
  const bytes = Buffer.concat([png(2000, 1000), Buffer.alloc(1024 * 1024)]);
  const file = await putFile(person, person.root, "large.png", bytes);
  let come = (): void => {};
  const held = new Promise<void>((resolve) => {
    come = resolve;
  });
  await drive.route(`**/nodes/${file.id}/thumbnail?edge=1280`, (route) =>
    route.fulfill({ body: png(1280, 640), contentType: "image/png" }),
  );
  await drive.route(`**/nodes/${file.id}/content`, async (route) => {
    await held;
    await route.continue();
  });
  const preview = await look(drive, "large.png");
  const small = preview.locator("img[src*=thumbnail]");
  await expect(small).toHaveJSProperty("naturalWidth", 1280);
  await expect(small).toBeVisible();
  const before = await small.boundingBox();
  come();
  await expect(small).toHaveCount(0);
  const picture = preview.getByRole("img", { name: "large.png" });
  await expect(picture).toHaveJSProperty("naturalWidth", 2000);
  // It takes its place: nothing jumps.
  const after = await picture.boundingBox();
  expect(after?.width).toBeCloseTo(before?.width ?? 0, 0);
  expect(after?.y).toBeCloseTo(before?.y ?? 0, 0);
});

test("a drawing of SVG is shown as a picture, and can do nothing", async ({ drive, person }) => {
  await choose(drive, { locale: "en" });
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"><rect width="20" height="10" fill="red"/><script>document.title="run"</script></svg>';
  await putFile(person, person.root, "drawing.svg", svg);
  const preview = await look(drive, "drawing.svg");
  const picture = preview.getByRole("img", { name: "drawing.svg" });
  await expect(picture).toHaveJSProperty("naturalWidth", 20);
  expect((await picture.boundingBox())?.width).toBeGreaterThan(500);
  await expect(drive).not.toHaveTitle("run");
});

test("sound is played from anywhere within it", async ({ drive, person }) => {
  await choose(drive, { locale: "en" });
  await putFile(person, person.root, "tone.wav", wav(60));
  const preview = await look(drive, "tone.wav");
  const player = preview.locator("audio");
  await expect(player).toHaveJSProperty("duration", 60);
  const sought = await player.evaluate(
    (audio: HTMLAudioElement) =>
      new Promise<number>((resolve) => {
        audio.onseeked = () => resolve(audio.currentTime);
        audio.currentTime = 45;
      }),
  );
  expect(sought).toBe(45);
});

test("a film is played from anywhere within it", async ({ drive, person, page }) => {
  await choose(drive, { locale: "en" });
  const bytes = await page.evaluate(async () => {
    const canvas = document.createElement("canvas");
    canvas.width = 64;
    canvas.height = 48;
    const pen = canvas.getContext("2d");
    const stream = canvas.captureStream(0);
    const track = stream.getVideoTracks()[0] as CanvasCaptureMediaStreamTrack;
    const recorder = new MediaRecorder(stream, { mimeType: "video/webm;codecs=vp8" });
    const parts: Blob[] = [];
    recorder.ondataavailable = (event) => parts.push(event.data);
    const ended = new Promise((resolve) => {
      recorder.onstop = resolve;
    });
    recorder.start();
    for (let frame = 0; frame < 12; frame += 1) {
      pen?.fillRect(frame * 4, 0, 4, 48);
      track.requestFrame();
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    }
    recorder.stop();
    await ended;
    return [...new Uint8Array(await new Blob(parts).arrayBuffer())];
  });
  expect(bytes.length).toBeGreaterThan(200);
  await putFile(person, person.root, "film.webm", Buffer.from(bytes));
  const preview = await look(drive, "film.webm");
  await expect(preview.locator("video")).toHaveJSProperty("videoWidth", 64);
  await expect(preview.locator("video")).toHaveJSProperty("error", null);
});

test("what the browser can't play says so", async ({ drive, person }) => {
  await choose(drive, { locale: "en" });
  await putFile(person, person.root, "broken.mp4", "no film at all");
  await putFile(person, person.root, "broken.png", "no picture at all");
  for (const name of ["broken.mp4", "broken.png"]) {
    const preview = await look(drive, name);
    await expect(preview.getByRole("heading", { name: en.not.browser })).toBeVisible();
    await expect(preview.getByRole("link", { name: "Download" }).last()).toBeVisible();
  }
});

for (const locale of LANGUAGES) {
  test(`Chinese of a PDF without its font is read, page by page (${locale})`, async ({
    drive,
    person,
  }) => {
    await choose(drive, { locale });
    await putFile(person, person.root, "book.pdf", pdf(HELLO, 40));
    const fetched: string[] = [];
    drive.on("request", (request) => fetched.push(new URL(request.url()).pathname));
    const preview = await look(drive, "book.pdf");
    await expect(preview.getByText(HELLO).first()).toBeAttached();
    await expect(preview.getByText("sheet 1", { exact: true })).toBeAttached();
    expect(
      fetched.some((path) => /\/assets\/pdfjs-[\d.]+\/cmaps\/UniGB-UCS2-H\.bcmap$/.test(path)),
    ).toBe(true);
    expect(await preview.locator("canvas").count()).toBeLessThan(6);

    const place = preview.getByRole("textbox", { name: TEXTS[locale].pdf["go-to"] });
    await place.fill("30");
    await place.press("Enter");
    await expect(preview.getByText("sheet 30", { exact: true })).toBeAttached();
    await expect(preview.getByText("sheet 1", { exact: true })).toHaveCount(0);
    await expect(place).toHaveValue("30");
    await expectAccessible(drive);
  });

  test(`what has no preview says so (${locale})`, async ({ drive, person }) => {
    await choose(drive, { locale });
    const texts = TEXTS[locale];
    await putFile(person, person.root, "things.zip", "PK");
    await putFile(person, person.root, "noise", Buffer.from([0, 1, 2, 3, 0]));
    await putFile(person, person.root, "wrong.pdf", "no document");
    await putFile(person, person.root, "void.txt", "");
    for (const [name, said] of [
      ["things.zip", texts.not.kind],
      ["noise", texts.not.binary],
      ["wrong.pdf", texts.not.damaged],
      ["void.txt", texts.empty],
    ] as const) {
      const preview = await look(drive, name);
      await expect(preview.getByRole("heading", { name: said })).toBeVisible();
      await expect(
        preview.getByRole("link", { name: COMMON[locale].download }).last(),
      ).toHaveAttribute("href", /save=true/);
    }
  });

  test(`content that does not come says why, and is tried again (${locale})`, async ({
    drive,
    person,
  }) => {
    await choose(drive, { locale });
    const file = await putFile(person, person.root, "lost.txt", "it is here");
    const address = `**/api/v1/nodes/${file.id}/content`;
    await drive.route(address, (route) => route.abort());
    const preview = await look(drive, "lost.txt");
    await expect(preview.getByRole("heading", { name: TEXTS[locale].failed })).toBeVisible();
    await drive.unroute(address);
    await preview.getByRole("button", { name: COMMON[locale].retry }).click();
    await expect(preview.getByText("it is here")).toBeVisible();
  });
}

test("a file that is gone meanwhile says so", async ({ drive, person }) => {
  await choose(drive, { locale: "en" });
  const file = await putFile(person, person.root, "gone.png", png(20, 20));
  await drive.goto("/files");
  await drive.getByRole("row").filter({ hasText: "gone.png" }).focus();
  expect((await person.api.delete(`/api/v1/nodes/${file.id}`)).ok()).toBe(true);
  await drive.keyboard.press("Space");
  await expect(drive.getByRole("dialog")).toContainText("It is not there any more");
});

test("texts are read in their encodings, and long ones in part", async ({ drive, person }) => {
  await choose(drive, { locale: "en" });
  await putFile(person, person.root, "windows.txt", GB18030_HELLO);
  await putFile(person, person.root, "mark.txt", "\uFEFFfirst\nsecond");
  await putFile(person, person.root, "long.log", "0123456789abcde\n".repeat(70_000));
  let preview = await look(drive, "windows.txt");
  await expect(preview.getByText(HELLO)).toBeVisible();
  await expect(preview.getByText("GB18030")).toBeVisible();

  preview = await look(drive, "mark.txt");
  await expect(preview.getByText("first", { exact: true })).toBeVisible();

  preview = await look(drive, "long.log");
  await expect(preview.getByText("Only the first 1 MB of 1.07 MB is shown.")).toBeVisible();
  const text = preview.getByRole("region", { name: "long.log" });
  expect(await text.locator("[data-index]").count()).toBeLessThan(200);
  await text.evaluate((element) => element.scrollTo(0, element.scrollHeight));
  await expect(text.locator("[data-index='65535']")).toBeVisible();
});

test("Markdown is shown as what it means, and nothing in it acts", async ({ drive, person }) => {
  await choose(drive, { locale: "en" });
  const asked: string[] = [];
  drive.on("request", (request) => asked.push(request.url()));
  const text = [
    "# Heading",
    "A [link](https://elsewhere.example/a), [bad](javascript:alert(1)), and https://bare.example.",
    "![far](https://elsewhere.example/spy.png) <img src=x onerror=alert(1)> <script>alert(1)</script>",
    "| a | b |\n| - | -: |\n| 1 | 2 |",
  ].join("\n\n");
  await putFile(person, person.root, "read.md", text);
  const preview = await look(drive, "read.md");
  await expect(preview.getByRole("heading", { name: "Heading" })).toBeVisible();
  const link = preview.getByRole("link", { name: "link", exact: true });
  await expect(link).toHaveAttribute("rel", "noopener noreferrer");
  await expect(link).toHaveAttribute("target", "_blank");
  await expect(preview.getByRole("link", { name: "far" })).toHaveAttribute(
    "href",
    "https://elsewhere.example/spy.png",
  );
  await expect(preview.getByRole("cell", { name: "2" })).toHaveCSS("text-align", "right");
  await expect(preview.locator("article img, article script, article [style]")).toHaveCount(0);
  expect(asked.filter((url) => url.includes("elsewhere"))).toEqual([]);
  await preview.getByRole("button", { name: en.text.source }).click();
  await expect(preview.getByText("# Heading")).toBeVisible();
});

const LOOKED_AT: [string, string | Buffer][] = [
  [`${"很长的文件名".repeat(12)}.png`, png(400, 300, 120)],
  ["notes.md", "# 标题\n\n文字"],
  ["main.rs", "fn main() {}\n"],
  ["song.wav", wav(1)],
];
for (const theme of ["light", "dark"] as const) {
  for (const [name, bytes] of LOOKED_AT) {
    test(`everybody can look at ${name.slice(-8)}, on a phone too (${theme})`, async ({
      drive,
      person,
    }) => {
      await choose(drive, { locale: "zh-CN", theme });
      await putFile(person, person.root, name, bytes);
      const preview = await look(drive, name);
      await preview.getByRole("button", { name: zh.facts.label }).click();
      await expectAccessible(drive);
      await drive.setViewportSize(PHONE);
      await expectAccessible(drive);
      const wide = await drive.evaluate(() => document.documentElement.scrollWidth);
      expect(wide).toBeLessThanOrEqual(PHONE.width);
    });
  }
}
