/**
 * Lists of files. A phone has no dragging within the list (a finger scrolls it) and no keys: what those do is done there
 * with the menu of a row and with the bar of what is chosen.
 */
import type { Locator, Page } from "@playwright/test";
import {
  act,
  chooseRow,
  expect,
  expectAccessible,
  expectNoSideways,
  makeFolder,
  onDesktops,
  onFaces,
  onPhone,
  type Person,
  putFile,
  rest,
  rowOf,
  test,
} from "./kit";

const names = (page: Page) =>
  page
    .locator("[data-id]")
    .evaluateAll((rows) =>
      rows.map((one) => one.querySelector("[title]")?.getAttribute("title") ?? ""),
    );

async function children(person: Person, folder: string): Promise<string[]> {
  const answer = await person.api.get(`/api/v1/nodes/${folder}/children?limit=1000`);
  const page = (await answer.json()) as { rows: { name: string }[] };
  return page.rows.map((one) => one.name);
}

onFaces("zh-CN", (face) => {
  const { phone, press, t } = face;
  const barOf = (page: Page): Locator => page.getByRole("toolbar", { name: t("files.bar") });

  test("an empty folder says how to fill it, and a folder is made in it", async ({
    drive,
    person,
  }) => {
    await drive.goto("/files");
    await expect(drive.getByRole("heading", { name: t("files.empty.title") })).toBeVisible();
    await expectAccessible(drive);
    const begin = async (): Promise<void> => {
      if (phone)
        await drive
          .getByRole("button", { name: t("actions.new-folder") })
          .first()
          .tap();
      else await drive.keyboard.press("n");
    };
    await begin();
    const dialog = drive.getByRole("dialog");
    await expect(dialog.getByLabel(t("common.name"))).toBeFocused();
    await expectAccessible(drive);
    await dialog.getByLabel(t("common.name")).fill("项目 2026");
    await drive.keyboard.press("Enter");
    // The keyboard is on what was made.
    await expect(rowOf(drive, "项目 2026")).toBeFocused();
    await expect.poll(() => children(person, person.root)).toEqual(["项目 2026"]);

    await begin();
    await dialog.getByLabel(t("common.name")).fill("项目 2026");
    await press(dialog.getByRole("button", { name: t("actions.make") }));
    await expect(dialog.getByRole("alert")).toHaveText(t("problems.name-taken"));
    await press(dialog.getByRole("button", { name: t("common.cancel") }));
    await expect(dialog).toBeHidden();

    if (phone) await rowOf(drive, "项目 2026").tap();
    else await drive.keyboard.press("Enter");
    await expect(
      drive.getByRole("heading", { level: 1, name: "项目 2026", exact: true }),
    ).toBeVisible();
    const up = drive
      .getByRole("navigation", { name: t("files.path") })
      .getByRole("link", { name: t("frame.nav.files") });
    await expect(up).toBeVisible();
    if (phone) await up.tap();
    else await drive.keyboard.press("Backspace");
    await expect(rowOf(drive, "项目 2026")).toBeFocused();
  });

  test("a name is changed in its place, and a taken one is said at the field", async ({
    drive,
    person,
  }) => {
    await putFile(person, person.root, "one.txt", "1");
    await putFile(person, person.root, "two.txt", "2");
    await drive.goto("/files");
    if (phone) await act(face, drive, "one.txt", "rename");
    else {
      await rowOf(drive, "one.txt").click();
      await drive.keyboard.press("F2");
    }
    const field = drive.getByLabel(t("files.new-name", { name: "one.txt" }));
    await expect(field).toBeFocused();
    // The stem is chosen: what is typed takes its place.
    await drive.keyboard.type("two");
    await drive.keyboard.press("Enter");
    await expect(drive.getByRole("alert")).toHaveText(t("problems.name-taken"));
    await expect(field).toBeFocused();
    await expectAccessible(drive);
    await field.fill("three.txt");
    await drive.keyboard.press("Enter");
    await expect(rowOf(drive, "three.txt")).toBeFocused();
    await expect.poll(() => children(person, person.root)).toEqual(["three.txt", "two.txt"]);
  });

  test("what is deleted comes back with undo, and the keyboard stays in the list", async ({
    drive,
    person,
  }) => {
    for (const name of ["a.txt", "b.txt", "c.txt"]) await putFile(person, person.root, name, name);
    await drive.goto("/files");
    if (phone) await act(face, drive, "b.txt", "trash");
    else {
      await rowOf(drive, "b.txt").click();
      await drive.keyboard.press("Delete");
    }
    await expect(rowOf(drive, "b.txt")).toBeHidden();
    await expect(rowOf(drive, "c.txt")).toBeFocused();
    await expect(
      drive.getByText(t("actions.done.trash", { name: "b.txt", count: 1 })),
    ).toBeVisible();
    await press(drive.getByRole("button", { name: t("common.undo") }));
    await expect(rowOf(drive, "b.txt")).toBeVisible();
    await expect.poll(() => children(person, person.root)).toEqual(["a.txt", "b.txt", "c.txt"]);
  });

  test("the bar of what is chosen says how many and how much", async ({ drive, person }) => {
    for (const name of ["a.txt", "b.txt", "c.txt", "d.txt"]) {
      await putFile(person, person.root, name, "x".repeat(512));
    }
    await drive.goto("/files");
    const bar = barOf(drive);
    await chooseRow(face, rowOf(drive, "a.txt"));
    await expect(bar).toContainText(`${t("files.chosen", { count: 1 })} · 512 B`);
    if (phone) {
      for (const name of ["b.txt", "c.txt"]) await rowOf(drive, name).tap();
    } else await rowOf(drive, "c.txt").click({ modifiers: ["Shift"] });
    await expect(bar).toContainText(`${t("files.chosen", { count: 3 })} · 1.5 KB`);
    if (phone) await rowOf(drive, "b.txt").tap();
    else await rowOf(drive, "b.txt").click({ modifiers: ["ControlOrMeta"] });
    await expect(bar).toContainText(t("files.chosen", { count: 2 }));
    await press(drive.getByRole("checkbox", { name: t("files.select", { name: "d.txt" }) }));
    await expect(bar).toContainText(t("files.chosen", { count: 3 }));
    await expectAccessible(drive);
    if (phone) {
      await bar.getByRole("button", { name: t("common.more") }).tap();
      await drive.getByRole("menuitem", { name: t("actions.select-all") }).tap();
    } else await drive.keyboard.press("ControlOrMeta+a");
    await expect(bar).toContainText(`${t("files.chosen", { count: 4 })} · 2 KB`);
    // What a button is called stands over the others only while a mouse rests on it.
    await expect(drive.getByRole("tooltip")).toHaveCount(0);
    if (phone) await bar.getByRole("button", { name: t("actions.select-none") }).tap();
    else await drive.keyboard.press("Escape");
    await expect(bar).toBeHidden();
  });

  test("files are moved and copied with the dialog, and brought back with undo", async ({
    drive,
    person,
  }) => {
    const folder = await makeFolder(person, person.root, "there");
    await putFile(person, person.root, "a.txt", "a");
    await drive.goto("/files");
    const dialog = drive.getByRole("dialog");
    for (const how of ["move", "copy"] as const) {
      await act(face, drive, "a.txt", how);
      await press(dialog.getByRole("button", { name: "there" }));
      await expect(dialog.getByText(t("files.no-folders"))).toBeVisible();
      await expectAccessible(drive);
      await press(dialog.getByRole("button", { name: t(`actions.${how}-here`) }));
      const done = t(`actions.done.${how}`, { name: "a.txt", folder: "there", count: 1 });
      await expect(drive.getByText(done)).toBeVisible();
      await expect(rowOf(drive, "a.txt")).toHaveCount(how === "move" ? 0 : 1);
      await expect.poll(() => children(person, folder.id)).toEqual(["a.txt"]);
      await press(drive.getByRole("button", { name: t("common.undo") }));
      await expect(rowOf(drive, "a.txt")).toBeVisible();
      await expect.poll(() => children(person, folder.id)).toEqual([]);
    }
  });

  test("a copy that took another's place can't be undone", async ({ drive, person }) => {
    const folder = await makeFolder(person, person.root, "there");
    await putFile(person, person.root, "a.txt", "new");
    await putFile(person, folder.id, "a.txt", "old");
    await drive.goto("/files");
    const dialog = drive.getByRole("dialog");
    await act(face, drive, "a.txt", "copy");
    await press(dialog.getByRole("button", { name: "there" }));
    await press(dialog.getByRole("button", { name: t("actions.copy-here") }));
    await press(dialog.getByRole("button", { name: t("upload.conflict.replace") }));
    const done = t("actions.done.copy", { name: "a.txt", folder: "there", count: 1 });
    await expect(drive.getByText(done)).toBeVisible();
    // At once: later it would be gone in any case.
    expect(await drive.getByText(t("common.undo"), { exact: true }).count()).toBe(0);
    expect(await children(person, folder.id)).toEqual(["a.txt"]);
  });

  test("what was moved beside another comes back under its own name", async ({ drive, person }) => {
    const folder = await makeFolder(person, person.root, "there");
    await putFile(person, person.root, "a.txt", "new");
    await putFile(person, folder.id, "a.txt", "old");
    await drive.goto("/files");
    const dialog = drive.getByRole("dialog");
    await act(face, drive, "a.txt", "move");
    await press(dialog.getByRole("button", { name: "there" }));
    await press(dialog.getByRole("button", { name: t("actions.move-here") }));
    await press(dialog.getByRole("button", { name: t("upload.conflict.keep-both") }));
    await press(drive.getByRole("button", { name: t("common.undo") }));
    await expect(rowOf(drive, "a.txt")).toBeVisible();
    await expect.poll(() => children(person, person.root)).toEqual(["there", "a.txt"]);
    expect(await children(person, folder.id)).toEqual(["a.txt"]);
  });

  test("an archive that does not come is said, and the page stays", async ({ drive, person }) => {
    for (const name of ["a.txt", "b.txt"]) await putFile(person, person.root, name, name);
    await drive.goto("/files");
    await chooseRow(face, rowOf(drive, "a.txt"));
    if (phone) await rowOf(drive, "b.txt").tap();
    else await rowOf(drive, "b.txt").click({ modifiers: ["Shift"] });
    await expect(barOf(drive)).toContainText(t("files.chosen", { count: 2 }));
    // Somebody deletes it elsewhere, of which this page knows nothing.
    const rows = (await (await person.api.get("/api/v1/nodes/root/children")).json()) as {
      rows: { id: string }[];
    };
    await drive.route("**/children*", (route) => route.abort());
    for (const { id } of rows.rows) await person.api.delete(`/api/v1/nodes/${id}`);
    await press(barOf(drive).getByRole("button", { name: t("actions.download"), exact: true }));
    await expect(drive.getByText(t("problems.node-not-found"))).toBeVisible();
    await expect(barOf(drive)).toBeVisible();
  });

  test("what is cut is pasted in another folder, also one in which nothing is", async ({
    drive,
    person,
  }) => {
    const folder = await makeFolder(person, person.root, "there");
    await putFile(person, person.root, "a.txt", "a");
    await drive.goto("/files");
    const paste = drive.getByRole("button", { name: t("actions.paste"), exact: true });
    await expect(rowOf(drive, "a.txt")).toBeVisible();
    await expect(paste).toHaveCount(0);
    await act(face, drive, "a.txt", "cut");
    await expect(drive.getByText(t("actions.taken.move", { name: "a.txt" }))).toBeVisible();
    if (phone)
      await barOf(drive)
        .getByRole("button", { name: t("actions.select-none") })
        .tap();
    await press(rowOf(drive, "there").getByRole("button", { name: "there", exact: true }));
    await expect(drive.getByRole("heading", { name: t("files.empty.title") })).toBeVisible();
    await expectNoSideways(drive);
    await press(paste);
    await expect(rowOf(drive, "a.txt")).toBeFocused();
    await expect(paste).toHaveCount(0);
    expect(await children(person, folder.id)).toEqual(["a.txt"]);
  });

  test("a folder that is not there says so and leads back", async ({ drive }) => {
    for (const address of ["/files/999999999", "/files/nowhere"]) {
      await drive.goto(address);
      await expect(drive.getByRole("heading", { name: t("files.gone.title") })).toBeVisible();
    }
    await expectAccessible(drive);
    await press(drive.getByRole("link", { name: t("frame.not-found.home") }));
    await expect(drive).toHaveURL(/\/files$/);
  });

  test("the way to a deep folder is shortened, and leads to each folder of it", async ({
    drive,
    person,
  }) => {
    let at = person.root;
    const ids: string[] = [];
    for (const name of ["one", "two", "three", "four", "five", "six"]) {
      at = (await makeFolder(person, at, `${name} ${"很长的名称".repeat(6)}`)).id;
      ids.push(at);
    }
    await drive.goto(`/files/${at}`);
    const path = drive.getByRole("navigation", { name: t("files.path") });
    await expect(path.getByRole("heading", { level: 1 })).toContainText("six");
    await expect(path).not.toContainText("two");
    await expectNoSideways(drive);
    await expectAccessible(drive);
    await press(path.getByRole("button", { name: t("files.path-hidden") }));
    await press(drive.getByRole("menuitem", { name: /^two/ }));
    await expect(drive).toHaveURL(new RegExp(`/files/${ids[1]}$`));
    await expect(path.getByRole("heading", { level: 1 })).toContainText("two");
    await press(path.getByRole("link", { name: t("frame.nav.files") }));
    await expect(rowOf(drive, "one")).toBeFocused();
  });

  test("list, tiles and details stand in nobody's way", async ({ drive, person }) => {
    const folder = await makeFolder(person, person.root, "项目");
    await putFile(person, person.root, "a", "x");
    const long = `${"long ".repeat(40)}.tar.gz`;
    await putFile(person, person.root, long, "x");
    await drive.goto("/files");
    const look = async (label: string): Promise<void> => {
      if (phone) await drive.getByRole("button", { name: t("files.view.label") }).tap();
      await press(drive.getByRole(phone ? "menuitem" : "button", { name: label, exact: true }));
    };
    await expect(rowOf(drive, "long")).toBeVisible();
    await expectNoSideways(drive);
    if (phone) await act(face, drive, long, "details");
    else {
      await look(t("actions.details"));
      // Elsewhere in the row its name would be opened.
      await rowOf(drive, "long").getByRole("checkbox").click();
    }
    const facts = drive.getByRole(phone ? "dialog" : "complementary");
    await expect(facts).toContainText(`${t("files.kind.archive")} (GZ)`);
    await expect(facts).toContainText(t("files.shares-none"));
    await expectAccessible(drive);
    await expectNoSideways(drive);
    if (phone) {
      await facts.getByRole("button", { name: t("common.close") }).tap();
      await barOf(drive)
        .getByRole("button", { name: t("actions.select-none") })
        .tap();
    } else await drive.keyboard.press("Escape");
    await look(t("files.view.grid"));
    const tile = drive.getByRole("gridcell").filter({ hasText: "项目" });
    await expect(tile).toBeVisible();
    if (phone) await rest(tile);
    else {
      await tile.hover();
      await tile.getByRole("checkbox").click();
    }
    await expect(barOf(drive)).toContainText(t("files.chosen", { count: 1 }));
    await expectAccessible(drive);
    await expectNoSideways(drive);
    await press(barOf(drive).getByRole("button", { name: t("actions.select-none") }));
    await press(tile.getByRole("button", { name: "项目", exact: true }).first());
    await expect(drive).toHaveURL(new RegExp(`/files/${folder.id}$`));
  });

  test("a folder of 50,000 files scrolls like a small one", async ({ drive, person }) => {
    const ALL = 50_000;
    const folder = await makeFolder(person, person.root, "many");
    const nameOf = (at: number): string => `file ${String(at).padStart(5, "0")}.txt`;
    // The drive would take minutes to make them: what is tried here is the page.
    await drive.route(`**/api/v1/nodes/${folder.id}/children?*`, (route) => {
      const query = new URL(route.request().url()).searchParams;
      const [from, limit] = [Number(query.get("cursor") ?? 0), Number(query.get("limit"))];
      const rows = Array.from({ length: Math.min(limit, ALL - from) }, (_, at) => ({
        ...{ id: String(1_000_000 + from + at), kind: "file", name: nameOf(from + at) },
        ...{ parent: folder.id, media_type: "text/plain", size: 1, downloads: 0 },
        ...{ created_at: "2026-05-01T08:00:00Z", modified_at: "2026-05-01T08:00:00Z" },
      }));
      const next = from + rows.length;
      return route.fulfill({ json: { rows, next: next < ALL ? String(next) : null } });
    });
    await drive.goto(`/files/${folder.id}`);
    await expect(drive.locator("footer")).toContainText(t("common.files", { count: ALL }));
    const [first, last] = [rowOf(drive, nameOf(0)), rowOf(drive, nameOf(ALL - 1))];
    if (phone) {
      const list = drive.getByRole("rowgroup").last();
      await list.evaluate((element) => element.scrollTo(0, element.scrollHeight));
      await expect(last).toBeInViewport();
      expect(await drive.locator("[data-id]").count()).toBeLessThan(100);
      await list.evaluate((element) => element.scrollTo(0, 0));
      await expect(first).toBeInViewport();
      await rest(first);
      await barOf(drive)
        .getByRole("button", { name: t("common.more") })
        .tap();
      await drive.getByRole("menuitem", { name: t("actions.select-all") }).tap();
    } else {
      await first.focus();
      await drive.keyboard.press("End");
      await expect(last).toBeFocused();
      expect(await drive.locator("[data-id]").count()).toBeLessThan(100);
      await drive.keyboard.type("file 34567");
      await expect(rowOf(drive, nameOf(34_567))).toBeFocused();
      await drive.keyboard.press("Home");
      await expect(first).toBeFocused();
      await drive.keyboard.press("ControlOrMeta+a");
    }
    await expect(barOf(drive)).toContainText(t("files.chosen", { count: ALL }));
  });

  test("lists are sorted by the drive, folders first, and remember how", async ({
    drive,
    person,
  }) => {
    await makeFolder(person, person.root, "folder");
    await putFile(person, person.root, "big.txt", "x".repeat(2_000));
    await putFile(person, person.root, "small.txt", "x");
    await putFile(person, person.root, "middle.txt", "x".repeat(1_000));
    await drive.goto("/files");
    await expect.poll(() => names(drive)).toEqual(["folder", "big.txt", "middle.txt", "small.txt"]);
    const head = drive.getByRole("columnheader", { name: t("common.size") });
    const sort = async (item: string): Promise<void> => {
      if (!phone) return await head.getByRole("button").click();
      await drive.getByRole("button", { name: t("files.view.label") }).tap();
      await drive.getByRole("menuitem", { name: t(`files.order.${item}`) }).tap();
    };
    const upwards = ["folder", "small.txt", "middle.txt", "big.txt"];
    // By name the order is another: it is by size that the first are as they were.
    await putFile(person, person.root, "another.txt", "x".repeat(500));
    await sort("size");
    if (!phone) await expect(head).toHaveAttribute("aria-sort", "descending");
    await expect
      .poll(() => names(drive))
      .toEqual(["folder", "big.txt", "middle.txt", "another.txt", "small.txt"]);
    await sort("ascending");
    const wanted = upwards.toSpliced(2, 0, "another.txt");
    await expect.poll(() => names(drive)).toEqual(wanted);
    await drive.reload();
    await expect.poll(() => names(drive)).toEqual(wanted);
  });

  test("a file is downloaded under its name, a folder and what is chosen as an archive", async ({
    drive,
    person,
  }) => {
    await putFile(person, person.root, "报告.txt", "hello");
    const folder = await makeFolder(person, person.root, "papers");
    await putFile(person, folder.id, "one.txt", "1");
    await drive.goto("/files");
    for (const [name, saved] of [
      ["报告.txt", "报告.txt"],
      ["papers", "papers.zip"],
    ] as const) {
      const download = drive.waitForEvent("download");
      if (phone) await act(face, drive, name, "download");
      else {
        await rowOf(drive, name).hover();
        await drive.getByRole("button", { name: t("files.download", { name }) }).click();
      }
      expect((await download).suggestedFilename()).toBe(saved);
    }
    if (phone) {
      // Its button has chosen the row: another is added.
      await rowOf(drive, "报告.txt").tap();
    } else {
      await rowOf(drive, "papers").focus();
      await drive.keyboard.press("ControlOrMeta+a");
    }
    await expect(barOf(drive)).toContainText(t("files.chosen", { count: 2 }));
    const download = drive.waitForEvent("download");
    await press(barOf(drive).getByRole("button", { name: t("actions.download"), exact: true }));
    expect((await download).suggestedFilename()).toMatch(/\.zip$/);
    // The page stays.
    await expect(rowOf(drive, "papers")).toBeVisible();
  });
});

onDesktops(({ t }) => {
  test("what is dragged onto a folder, or onto the path, is moved there", async ({
    drive,
    person,
  }) => {
    const outer = await makeFolder(person, person.root, "outer");
    const inner = await makeFolder(person, outer.id, "inner");
    for (const name of ["a.txt", "b.txt", "c.txt"]) await putFile(person, outer.id, name, name);
    await drive.goto(`/files/${outer.id}`);
    await rowOf(drive, "a.txt").dragTo(rowOf(drive, "inner"));
    await expect(rowOf(drive, "a.txt")).toBeHidden();
    await expect.poll(() => children(person, inner.id)).toEqual(["a.txt"]);
    await rowOf(drive, "b.txt").dragTo(
      drive
        .getByRole("navigation", { name: t("files.path") })
        .getByRole("link", { name: t("frame.nav.files") }),
    );
    await expect(rowOf(drive, "b.txt")).toBeHidden();
    await expect.poll(() => children(person, person.root)).toEqual(["outer", "b.txt"]);
    // With the key for it held it is copied.
    await drive.keyboard.down("Control");
    await rowOf(drive, "c.txt").dragTo(rowOf(drive, "inner"));
    await drive.keyboard.up("Control");
    await expect.poll(() => children(person, inner.id)).toEqual(["a.txt", "c.txt"]);
    await expect(rowOf(drive, "c.txt")).toBeVisible();
  });
});

onPhone("en", ({ t }) => {
  test("a long press chooses, and a tap opens", async ({ drive, person }) => {
    const folder = await makeFolder(person, person.root, "inside");
    await putFile(person, person.root, `${"a very long name ".repeat(12)}.txt`, "x");
    await drive.goto("/files");
    const there = rowOf(drive, "inside");
    await expect(there).toBeVisible();
    await expectNoSideways(drive);
    await expectAccessible(drive);
    await rest(there);
    const bar = drive.getByRole("toolbar", { name: t("files.bar") });
    await expect(bar).toBeVisible();
    await expect(drive).toHaveURL(/\/files$/);
    await expect(drive.getByRole("menu")).toBeHidden();
    await expectAccessible(drive);
    await bar.getByRole("button", { name: t("actions.select-none") }).tap();
    await expect(bar).toBeHidden();
    await there.tap();
    await expect(drive).toHaveURL(new RegExp(`/files/${folder.id}$`));
  });
});

test("what does not fit into a page of the API is read in the background", async ({
  drive,
  person,
}) => {
  test.setTimeout(180_000);
  const folder = await makeFolder(person, person.root, "many");
  const parts = await makeFolder(person, person.root, "part");
  for (let at = 0; at < 8; at++) await putFile(person, parts.id, `file-${at}.txt`, `${at}`);
  const one = (await (await person.api.get(`/api/v1/nodes/${parts.id}/children`)).json()) as {
    rows: { id: string }[];
  };
  const copy = async (id: string, name: string): Promise<void> => {
    const data = { parent: folder.id, name };
    let made = await person.api.post(`/api/v1/nodes/${id}/copies`, { data });
    // A fast machine asks for more in a second than the drive does for anybody: it says when to come again.
    while (made.status() === 429) {
      const { retry_after_s } = (await made.json()) as { retry_after_s: number };
      await new Promise((resolve) => setTimeout(resolve, retry_after_s * 1_000));
      made = await person.api.post(`/api/v1/nodes/${id}/copies`, { data });
    }
    expect(made.status(), await made.text()).toBe(201);
  };
  for (let round = 0; round < 130; round++) {
    await Promise.all(
      one.rows.map(({ id }, at) => copy(id, `file ${String(round * 8 + at).padStart(4, "0")}.txt`)),
    );
  }
  await drive.goto(`/files/${folder.id}`);
  await expect(drive.locator("footer")).toContainText("1040 files");
  await rowOf(drive, "file 0000.txt").focus();
  await drive.keyboard.press("End");
  await expect(rowOf(drive, "file 1039.txt")).toBeFocused();
});
