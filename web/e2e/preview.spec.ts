/** Looking at files. On a phone there is no wheel and no key: fingers and buttons do what they do. */
import type { Locator, Page } from "@playwright/test";
import {
  expect,
  expectAccessible,
  expectNoSideways,
  expectStill,
  type Face,
  makeFolder,
  onDesktops,
  onFaces,
  onPhone,
  putFile,
  rowOf,
  test,
} from "./kit";
import { GB18030_HELLO, pdf, png, wav } from "./made";

const HELLO = "你好，世界";

/** Opens a file of a list: with the key for it, or with a finger. */
async function open({ phone }: Face, page: Page, name: string): Promise<void> {
  const row = rowOf(page, name);
  if (phone) return await row.tap();
  await row.focus();
  await page.keyboard.press("Space");
}

/** Opens a file of the top folder, instead of another that is open. */
async function look(face: Face, page: Page, name: string): Promise<Locator> {
  const preview = page.getByRole("dialog");
  if (await preview.isVisible()) {
    await face.press(preview.getByRole("button", { name: face.t("common.close") }));
    await expect(preview).toBeHidden();
  } else await page.goto("/files");
  await open(face, page, name);
  await expect(preview.getByRole("heading", { level: 2 }).first()).toContainText(name);
  return preview;
}

/** The button that says how large a picture is shown. */
function zoomOf(preview: Locator, { t }: Face): Locator {
  const toolbar = preview.getByRole("toolbar", { name: t("preview.zoom.label") });
  return toolbar.getByRole("button").filter({ hasText: "%" });
}

onFaces("zh-CN", (face) => {
  const { phone, press, t } = face;
  const close = (preview: Locator): Promise<void> =>
    press(preview.getByRole("button", { name: t("common.close"), exact: true }));

  test("one turns to the neighbours, and what closes it leaves the list as it was", async ({
    drive,
    person,
  }) => {
    for (const name of ["a.png", "b.png", "c.txt"]) {
      await putFile(person, person.root, name, name.endsWith("png") ? png(60, 40) : "text of c");
    }
    const preview = await look(face, drive, "b.png");
    // A wide screen has them beside the file, a narrow one below it.
    const [before, after] = ["before", "after"].map((way) =>
      preview.getByRole("button", { name: t(`preview.${way}`) }),
    ) as [Locator, Locator];
    const turn = async (way: "ArrowLeft" | "ArrowRight"): Promise<void> => {
      if (phone) await (way === "ArrowLeft" ? before : after).tap();
      else await drive.keyboard.press(way);
    };
    const place = (at: number) =>
      expect(preview).toContainText(t("preview.place", { at, count: 3 }));
    await place(2);
    await turn("ArrowRight");
    await expect(preview.getByText("text of c")).toBeVisible();
    await place(3);
    await expect(after).toBeDisabled();
    await turn("ArrowLeft");
    await turn("ArrowLeft");
    await place(1);
    await expect(before).toBeDisabled();
    if (phone) await close(preview);
    else await drive.keyboard.press("Space");
    await expect(preview).toBeHidden();
    await expect(drive.locator("[data-id]")).toHaveCount(3);
    await expect(drive.locator("[role=row]:focus, [role=row] :focus")).toHaveCount(1);

    await open(face, drive, "a.png");
    await expect(preview).toBeVisible();
    if (phone) await close(preview);
    else await drive.keyboard.press("Escape");
    await expect(preview).toBeHidden();
  });

  test("Back leaves the preview, and only it", async ({ drive, person }) => {
    const folder = await makeFolder(person, person.root, "trip");
    for (const name of ["a.txt", "b.txt"])
      await putFile(person, folder.id, name, `text of ${name}`);
    const preview = drive.getByRole("dialog");
    await drive.goto("/files");
    await press(rowOf(drive, "trip").getByRole("button", { name: "trip", exact: true }));
    await open(face, drive, "a.txt");
    await expect(preview.getByText("text of a.txt")).toBeVisible();
    if (phone) await preview.getByRole("button", { name: t("preview.after") }).tap();
    else await drive.keyboard.press("ArrowRight");
    await expect(preview.getByText("text of b.txt")).toBeVisible();
    const inFolder = new RegExp(`/files/${folder.id}$`);
    await drive.evaluate(() => history.back());
    await expect(preview).toBeHidden();
    await expect(drive).toHaveURL(inFolder);
    await expect(rowOf(drive, "b.txt")).toBeFocused();
    // What is closed otherwise leaves nothing to go back to.
    for (const key of ["Escape", "Space"]) {
      await open(face, drive, "b.txt");
      await expect(preview.getByText("text of b.txt")).toBeVisible();
      if (phone) await close(preview);
      else await drive.keyboard.press(key);
      await expect(preview).toBeHidden();
      await expect(rowOf(drive, "b.txt")).toBeFocused();
    }
    await expect(drive).toHaveURL(inFolder);
    await drive.goBack();
    await expect(drive).toHaveURL(/\/files$/);
    await expect(rowOf(drive, "trip")).toBeVisible();
  });

  test("what is looked at is shared from there", async ({ drive, person }) => {
    const folder = await makeFolder(person, person.root, "trip");
    const file = await putFile(person, folder.id, "a.txt", "text of a");
    await drive.goto("/files");
    await press(rowOf(drive, "trip").getByRole("button", { name: "trip", exact: true }));
    await open(face, drive, "a.txt");
    const preview = drive.getByRole("dialog").filter({ hasText: "text of a" });
    const dialog = drive.getByRole("dialog", {
      name: t("shares.dialog.title", { name: "a.txt" }),
    });
    const share = async (): Promise<void> => {
      await press(preview.getByRole("button", { name: t("actions.share"), exact: true }));
      await expect(dialog.getByRole("button", { name: t("shares.copy.both") })).toBeVisible();
    };
    await share();
    await expectAccessible(drive);
    await expectNoSideways(drive);
    const answer = await person.api.get(`/api/v1/shares?node=${file.id}`);
    expect(((await answer.json()) as { rows: unknown[] }).rows).toHaveLength(1);
    // It was asked for over the preview, which stays: also when Back leaves it.
    if (phone) await close(dialog);
    else await drive.keyboard.press("Escape");
    await expect(dialog).toBeHidden();
    await expect(preview).toBeVisible();
    await share();
    await drive.evaluate(() => history.back());
    await expect(dialog).toBeHidden();
    await expect(preview).toBeVisible();
    await close(preview);
    await expect(preview).toBeHidden();
    await expect(drive).toHaveURL(new RegExp(`/files/${folder.id}$`));
  });

  test("a large picture is seen as its thumbnail until it has come", async ({ drive, person }) => {
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
    const preview = await look(face, drive, "large.png");
    const small = preview.locator("img[src*=thumbnail]");
    await expect(small).toHaveJSProperty("naturalWidth", 1280);
    await expect(small).toBeVisible();
    await expectStill(drive);
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
    const svg =
      '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"><rect width="20" height="10" fill="red"/><script>document.title="run"</script></svg>';
    await putFile(person, person.root, "drawing.svg", svg);
    const preview = await look(face, drive, "drawing.svg");
    const picture = preview.getByRole("img", { name: "drawing.svg" });
    await expect(picture).toHaveJSProperty("naturalWidth", 20);
    const width = expect.poll(async () => (await picture.boundingBox())?.width);
    await width.toBeGreaterThan(phone ? 300 : 500);
    await expect(drive).not.toHaveTitle("run");
  });

  test("sound is played from anywhere within it", async ({ drive, person }) => {
    await putFile(person, person.root, "tone.wav", wav(60));
    const preview = await look(face, drive, "tone.wav");
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
    const preview = await look(face, drive, "film.webm");
    await expect(preview.locator("video")).toHaveJSProperty("videoWidth", 64);
    await expect(preview.locator("video")).toHaveJSProperty("error", null);
  });

  test("what can't be shown says why, and can be downloaded", async ({ drive, person }) => {
    const said = {
      "broken.mp4": "preview.not.browser",
      "broken.png": "preview.not.browser",
      noise: "preview.not.binary",
      "things.zip": "preview.not.kind",
      "void.txt": "preview.empty",
      "wrong.pdf": "preview.not.damaged",
    };
    await putFile(person, person.root, "broken.mp4", "no film at all");
    await putFile(person, person.root, "broken.png", "no picture at all");
    await putFile(person, person.root, "noise", Buffer.from([0, 1, 2, 3, 0]));
    await putFile(person, person.root, "things.zip", "PK");
    await putFile(person, person.root, "void.txt", "");
    await putFile(person, person.root, "wrong.pdf", "no document");
    for (const [name, key] of Object.entries(said)) {
      const preview = await look(face, drive, name);
      await expect(preview.getByRole("heading", { name: t(key) })).toBeVisible();
      await expect(
        preview.getByRole("link", { name: t("common.download") }).last(),
      ).toHaveAttribute("href", /save=true/);
    }
  });

  test("Chinese of a PDF without its font is read, page by page", async ({ drive, person }) => {
    await putFile(person, person.root, "book.pdf", pdf(HELLO, 40));
    const fetched: string[] = [];
    drive.on("request", (request) => fetched.push(new URL(request.url()).pathname));
    const preview = await look(face, drive, "book.pdf");
    await expect(preview.getByText(HELLO).first()).toBeAttached();
    await expect(preview.getByText("sheet 1", { exact: true })).toBeAttached();
    expect(
      fetched.some((path) => /\/assets\/pdfjs-[\d.]+\/cmaps\/UniGB-UCS2-H\.bcmap$/.test(path)),
    ).toBe(true);
    expect(await preview.locator("canvas").count()).toBeLessThan(6);

    const place = preview.getByRole("textbox", { name: t("preview.pdf.go-to") });
    await place.fill("30");
    await place.press("Enter");
    await expect(preview.getByText("sheet 30", { exact: true })).toBeAttached();
    await expect(preview.getByText("sheet 1", { exact: true })).toHaveCount(0);
    await expect(place).toHaveValue("30");
    await expectAccessible(drive);
    await expectNoSideways(drive);
  });

  test("content that does not come says why, and is tried again", async ({ drive, person }) => {
    const file = await putFile(person, person.root, "lost.txt", "it is here");
    const address = `**/api/v1/nodes/${file.id}/content`;
    await drive.route(address, (route) => route.abort());
    const preview = await look(face, drive, "lost.txt");
    await expect(preview.getByRole("heading", { name: t("preview.failed") })).toBeVisible();
    await drive.unroute(address);
    await press(preview.getByRole("button", { name: t("common.retry") }));
    await expect(preview.getByText("it is here")).toBeVisible();
  });

  test("a file that is gone meanwhile says so", async ({ drive, person }) => {
    const file = await putFile(person, person.root, "gone.png", png(20, 20));
    await drive.goto("/files");
    await expect(rowOf(drive, "gone.png")).toBeVisible();
    expect((await person.api.delete(`/api/v1/nodes/${file.id}`)).ok()).toBe(true);
    await open(face, drive, "gone.png");
    await expect(drive.getByRole("dialog")).toContainText(t("problems.node-not-found"));
  });

  test("texts are read in their encodings, and long ones in part", async ({ drive, person }) => {
    await putFile(person, person.root, "windows.txt", GB18030_HELLO);
    await putFile(person, person.root, "mark.txt", "\uFEFFfirst\nsecond");
    await putFile(person, person.root, "long.log", "0123456789abcde\n".repeat(70_000));
    let preview = await look(face, drive, "windows.txt");
    await expect(preview.getByText(HELLO)).toBeVisible();
    await expect(preview.getByText("GB18030")).toBeVisible();

    preview = await look(face, drive, "mark.txt");
    await expect(preview.getByText("first", { exact: true })).toBeVisible();

    preview = await look(face, drive, "long.log");
    const cut = t("preview.text.cut", { part: "1 MB", all: "1.07 MB" });
    await expect(preview.getByText(cut)).toBeVisible();
    const text = preview.getByRole("region", { name: "long.log" });
    expect(await text.locator("[data-index]").count()).toBeLessThan(200);
    await text.evaluate((element) => element.scrollTo(0, element.scrollHeight));
    await expect(text.locator("[data-index='65535']")).toBeVisible();
  });

  test("Markdown is shown as what it means, and nothing in it acts", async ({ drive, person }) => {
    const asked: string[] = [];
    drive.on("request", (request) => asked.push(request.url()));
    const text = [
      "# Heading",
      "A [link](https://elsewhere.example/a), [bad](javascript:alert(1)), and https://bare.example.",
      "![far](https://elsewhere.example/spy.png) <img src=x onerror=alert(1)> <script>alert(1)</script>",
      "| a | b |\n| - | -: |\n| 1 | 2 |",
    ].join("\n\n");
    await putFile(person, person.root, "read.md", text);
    const preview = await look(face, drive, "read.md");
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
    await press(preview.getByRole("button", { name: t("preview.text.source") }));
    await expect(preview.getByText("# Heading")).toBeVisible();
  });

  test("what is looked at stands in nobody's way", async ({ drive, person }) => {
    const files: [string, string | Buffer][] = [
      [`${"很长的文件名".repeat(12)}.png`, png(400, 300, 120)],
      ["notes.md", "# 标题\n\n文字"],
      ["main.rs", "fn main() {}\n"],
      ["song.wav", wav(1)],
    ];
    for (const [name, bytes] of files) await putFile(person, person.root, name, bytes);
    for (const [name] of files) {
      const preview = await look(face, drive, name);
      const facts = preview.getByRole("complementary");
      await press(preview.getByRole("button", { name: t("preview.facts.label"), exact: true }));
      await expect(facts).toContainText(name);
      await expectAccessible(drive);
      await expectNoSideways(drive);
      await press(preview.getByRole("button", { name: t("preview.facts.label"), exact: true }));
      await expect(facts).toHaveCount(0);
    }
  });
});

onDesktops((face) => {
  const { t } = face;

  test("a picture fits, and is looked at closely by wheel, keys and dragging", async ({
    drive,
    person,
  }) => {
    await putFile(person, person.root, "wide.png", png(3000, 900));
    const preview = await look(face, drive, "wide.png");
    const picture = preview.getByRole("img", { name: "wide.png" });
    await expect(picture).toHaveJSProperty("naturalWidth", 3000);
    await expect(zoomOf(preview, face)).toHaveText("43%");
    // It is drawn as it is said to be with the next frame.
    const drawn = async (width: number) => {
      const near = expect.poll(async () => (await picture.boundingBox())?.width);
      await near.toBeCloseTo(width, 0);
      return await picture.boundingBox();
    };
    await drawn(1280);

    await drive.keyboard.press("1");
    await expect(zoomOf(preview, face)).toHaveText("100%");
    const before = await drawn(3000);
    await drive.mouse.move(640, 400);
    await drive.mouse.down();
    await drive.mouse.move(540, 380, { steps: 4 });
    await drive.mouse.up();
    const left = () => expect.poll(async () => (await picture.boundingBox())?.x);
    const dragged = (before?.x ?? 0) - 100;
    await left().toBeCloseTo(dragged, 0);
    await drive.keyboard.press("Shift+ArrowLeft");
    await left().toBeCloseTo(dragged + 80, 0);

    await drive.mouse.wheel(0, 400);
    await expect(zoomOf(preview, face)).toHaveText("50%");
    await drive.keyboard.press("0");
    expect((await drawn(1280))?.x).toBe(0);
    await preview.getByRole("button", { name: t("preview.zoom.in") }).click();
    await expect(zoomOf(preview, face)).toHaveText("53%");
  });
});

onPhone("en", (face) => {
  test("two fingers look closely, and one turns to the next picture", async ({ drive, person }) => {
    for (const name of ["a.png", "b.png"]) await putFile(person, person.root, name, png(1440, 900));
    const preview = await look(face, drive, "a.png");
    const zoom = zoomOf(preview, face);
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
    // It is drawn as it is said to be with the next frame.
    const drawn = async () => (await picture.boundingBox()) ?? { x: 0, width: 0 };
    await expect.poll(async () => (await drawn()).width).toBeCloseTo(720, 0);
    const { x: before } = await drawn();
    await drag([at(200)], [at(100)]);
    await expect.poll(async () => before - (await drawn()).x).toBeCloseTo(100, 0);
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
});
