import { randomBytes } from "node:crypto";
import type { Page } from "@playwright/test";
import en from "../src/i18n/en/admin.json" with { type: "json" };
import enCommon from "../src/i18n/en/common.json" with { type: "json" };
import enFrame from "../src/i18n/en/frame.json" with { type: "json" };
import enPeople from "../src/i18n/en/people.json" with { type: "json" };
import zh from "../src/i18n/zh-CN/admin.json" with { type: "json" };
import zhCommon from "../src/i18n/zh-CN/common.json" with { type: "json" };
import zhFrame from "../src/i18n/zh-CN/frame.json" with { type: "json" };
import zhPeople from "../src/i18n/zh-CN/people.json" with { type: "json" };
import {
  browserOf,
  expect,
  expectAccessible,
  expectNoSideways,
  onFaces,
  type Person,
  putFile,
  shot,
  signIn,
  test,
} from "./kit";

const texts = {
  en: { ...en, frame: enFrame, signing: enPeople, ...enCommon },
  "zh-CN": { ...zh, frame: zhFrame, signing: zhPeople, ...zhCommon },
};

const GB = 1024 ** 3;
const member = {
  ...{ id: "10.0.0.1", address: "10.0.0.1:23000", state: "active", version: "6.15.1" },
  ...{ since: "2026-05-01T08:00:00Z", total_bytes: 500 * GB, free_bytes: 200 * GB },
  ...{ uploads: 120_345, downloads: 998_001, deletes: 12, bytes_in: 1e12, bytes_out: 9e12 },
  ...{ connections: 12, connections_max: 60, heartbeat_age_s: 3, lag_s: 0 },
  lag_reason: "up-to-date",
};
const clusterSeen = {
  kind: "fastdfs",
  trackers: [
    { address: "10.0.0.9:22122", answers: true, fault: null, leads: true },
    { address: "10.0.0.8:22122", answers: false, fault: "silent", leads: false },
  ],
  groups: [
    {
      ...{ name: "group1", total_bytes: 500 * GB, free_bytes: 200 * GB, reserved_bytes: 50 * GB },
      members: [
        member,
        {
          ...member,
          id: "10.0.0.2",
          address: "10.0.0.2:23000",
          state: "offline",
          lag_s: 4000,
          lag_reason: "away",
          heartbeat_age_s: 5000,
        },
      ],
    },
    {
      ...{ name: "group2", total_bytes: 500 * GB, free_bytes: 60 * GB, reserved_bytes: 50 * GB },
      members: [
        { ...member, id: "10.0.0.3", address: "10.0.0.3:23000" },
        {
          ...member,
          id: "10.0.0.4",
          address: "10.0.0.4:23000",
          lag_s: 3,
          lag_reason: "catching-up",
        },
      ],
    },
  ],
};
const pastSeen = {
  every_s: 10,
  samples: Array.from({ length: 60 }, (_, at) => ({
    at: new Date(Date.UTC(2026, 4, 1, 10, 0, at * 10)).toISOString(),
    groups:
      at === 20
        ? null
        : ["group1", "group2"].map((name) => ({
            name,
            bytes_in_per_s: 2e6 + 1e6 * Math.sin(at / 5),
            bytes_out_per_s: 5e6 + 3e6 * Math.cos(at / 7),
            uploads_per_s: 2.5,
            downloads_per_s: 30,
            free_bytes: 200 * GB - at * 1e8,
            lag_s: at % 4,
          })),
  })),
};
/** The words are the server's, so they say here in which language they were asked for. */
const found = (language: string | null) => ({
  kind: "fastdfs",
  at: "2026-11-28T08:00:00Z",
  findings: [
    {
      severity: "error",
      code: "storage_offline",
      what: `storage group1/10.0.0.2:23000 (${language})`,
      todo: `todo (${language})`,
    },
    { severity: "note", code: "group_single", what: "group group2", todo: "todo" },
  ],
});
async function fakeCluster(page: Page, seen: unknown = clusterSeen): Promise<void> {
  await page.route("**/api/v1/admin/cluster", (route) => route.fulfill({ json: seen }));
  await page.route("**/api/v1/admin/cluster/findings?*", (route) => {
    const language = new URL(route.request().url()).searchParams.get("language");
    return route.fulfill({ json: found(language) });
  });
  await page.route("**/api/v1/admin/cluster/history", (route) => route.fulfill({ json: pastSeen }));
}

onFaces("zh-CN", (face) => {
  const { locale, phone, press } = face;
  const words = texts[locale];

  /** Opens what can be done with somebody, and does it. */
  const act = async (page: Page, person: Person, action: string): Promise<void> => {
    await page.getByRole("searchbox", { name: words.people.find }).fill(person.name);
    const name = words.people["actions-of"].replace("{name}", person.name);
    await press(page.getByRole("button", { name }));
    await press(page.getByRole("menuitem", { name: action, exact: true }));
  };

  test("administration is for administrators", async ({ drive }) => {
    for (const place of ["overview", "people", "cluster", "jobs", "audit"]) {
      await drive.goto(`/admin/${place}`);
      await expect(
        drive.getByRole("heading", { name: words.frame["no-rights"].title }),
      ).toBeVisible();
    }
  });

  test("somebody who is frozen is out at once, and in again when unfrozen", async ({
    page,
    site,
    newPerson,
    browser,
  }) => {
    const person = await newPerson();
    const other = await browser.newContext({ baseURL: site.url, ...browserOf(face) });
    const theirs = await other.newPage();
    await signIn(theirs, person);
    await theirs.goto("/account");
    await expect(theirs.getByRole("heading", { level: 1 })).toBeVisible();

    await signIn(page, site.admin);
    await page.goto("/admin/people");
    await act(page, person, words.people.freeze.action);
    const dialog = page.getByRole("dialog");
    await expect(dialog).toContainText(person.name);
    await expectAccessible(page);
    await press(dialog.getByRole("button", { name: words.people.freeze.action }));
    await expect(page.getByText(words.people.state.frozen, { exact: true })).toBeVisible();

    // What asked just before is known for a second.
    await expect(async () => {
      await theirs.goto("/account");
      await expect(theirs).toHaveURL(/\/sign-in/, { timeout: 1_000 });
    }).toPass();
    await expect(theirs.getByText(words.signing.frozen)).toBeVisible();

    await act(page, person, words.people.thaw.action);
    await expect(page.getByText(words.people.state.active, { exact: true })).toBeVisible();
    await other.close();
  });

  test("space is changed where it stands, and shows", async ({ page, site, newPerson }) => {
    const person = await newPerson();
    await signIn(page, site.admin);
    await page.goto("/admin/people");
    await page.getByRole("searchbox", { name: words.people.find }).fill(person.name);
    const edit = page.getByRole("button", {
      name: words.people.quota.edit.replace("{name}", person.name),
    });
    await press(edit);
    await press(page.getByRole("switch", { name: words.people.quota.unlimited }));
    const field = page.getByLabel(words.people.quota.label);
    await field.fill("much");
    await press(page.getByRole("button", { name: words.save, exact: true }));
    await expect(field).toHaveAccessibleDescription(words.people.quota.invalid);
    await expectAccessible(page);
    await field.fill("2.5");
    await field.press("Enter");
    await expect(edit).toContainText("2.5 GB");
    await expect(edit).toBeFocused();
    const usage = (await (await person.api.get("/api/v1/usage")).json()) as { limit: number };
    expect(usage.limit).toBe(2.5 * GB);
  });

  test("a password that is set lets in, and the old one does not", async ({
    page,
    site,
    newPerson,
  }) => {
    const person = await newPerson();
    await signIn(page, site.admin);
    await page.goto("/admin/people");
    await act(page, person, words.people.password.action);
    const dialog = page.getByRole("dialog");
    await press(dialog.getByRole("button", { name: words.people.password.set }));
    await expect(dialog).toContainText(words.people.password["made-text"]);
    const password = (await dialog.locator("[data-password]").textContent()) ?? "";
    await press(dialog.getByRole("button", { name: words.people.password.done }));
    expect((await person.api.get("/api/v1/me")).status()).toBe(401);
    for (const [tried, status] of [
      [person.password, 401],
      [password, 201],
    ] as const) {
      const answer = await person.api.post("/api/v1/session", {
        data: { user_name: person.name, password: tried, hand: "token" },
        headers: { authorization: "" },
      });
      expect(answer.status(), await answer.text()).toBe(status);
    }
  });

  test("an account that an administrator makes is in the list", async ({ page, site }) => {
    await signIn(page, site.admin);
    await page.goto("/admin/people");
    await press(page.getByRole("button", { name: words.people.add }));
    const dialog = page.getByRole("dialog");
    const name = `made-${randomBytes(4).toString("hex")}`;
    await dialog.getByLabel(words.people.new.name).fill(name);
    await press(dialog.getByRole("button", { name: words.people.new.make }));
    await expect(dialog.locator("[data-password]")).toBeVisible();
    await press(dialog.getByRole("button", { name: words.people.password.done }));
    await page.getByRole("searchbox", { name: words.people.find }).fill(name);
    await expect(page.getByRole("row").filter({ hasText: name })).toHaveCount(1);
  });

  test("somebody is found among many by nick name or address", async ({
    page,
    site,
    newPerson,
  }) => {
    const person = await newPerson();
    const nick = `王伟${person.name.slice(-6)}`;
    const email = `Post.${person.name}@Example.CN`;
    await person.api.patch("/api/v1/me", { data: { nick_name: nick, email } });
    await signIn(page, site.admin);
    const asked: string[] = [];
    page.on("request", (request) => {
      const url = new URL(request.url());
      if (url.pathname.endsWith("/admin/accounts")) asked.push(url.searchParams.get("q") ?? "");
    });
    await page.goto("/admin/people");
    const rows = page.getByRole("row").filter({ hasText: "@" });
    const field = page.getByRole("searchbox", { name: words.people.find });
    await field.pressSequentially(`example.cn ${nick.slice(1)}`);
    await expect(rows).toHaveCount(1);
    await expect(rows).toContainText(person.name);
    // Once for all accounts, and not for each letter.
    expect(asked[0]).toBe("");
    expect(asked.length).toBeLessThan(5);
    await expectAccessible(page);
    await field.fill("nobody-is-called-so");
    await expect(page.getByText(words.people.none, { exact: true })).toBeVisible();
    await expectAccessible(page);
    await field.fill("");
    await expect(page.getByRole("row").filter({ hasText: "admin" }).first()).toBeVisible();
  });

  test("the drive is seen at a glance, with whose uploads are under way", async ({
    page,
    site,
    newPerson,
  }) => {
    const person = await newPerson();
    await putFile(person, person.root, "a.txt", "content");
    const begun = await person.api.post("/api/v1/uploads", {
      data: Buffer.alloc(3 * 1024),
      headers: {
        "tus-resumable": "1.0.0",
        "upload-length": String(12 * 1024),
        "upload-metadata": `filename ${Buffer.from("secret").toString("base64")}`,
        "content-type": "application/offset+octet-stream",
      },
    });
    expect(begun.status(), await begun.text()).toBe(201);
    await signIn(page, site.admin);
    await page.goto("/files");
    if (phone) {
      await page.getByRole("button", { name: words.more, exact: true }).last().tap();
      await page.getByRole("menuitem", { name: words.frame.nav.overview }).tap();
    } else await page.getByRole("link", { name: words.frame.nav.overview }).click();
    const row = page.getByRole("listitem").filter({ hasText: person.name });
    await expect(row).toContainText(
      words.overview.uploads.of.replace("{here}", "3 KB").replace("{all}", "12 KB"),
    );
    await expect(row.getByRole("progressbar")).toHaveAttribute("aria-valuenow", "25");
    await expect(row).toContainText(words.overview.uploads.waits);
    await expect(page.getByText("secret")).toBeHidden();
    const accounts = page.locator("[data-figure=accounts]");
    await expect(accounts).toContainText(/[1-9]/);
    await expect(page.locator("[data-figure=waiting]")).toContainText("0");
    await expectAccessible(page);
    await press(accounts.getByRole("link"));
    await expect(page.getByRole("heading", { name: words.people.title })).toBeVisible();
  });

  test("the audit log tells of a sign-in and of a wrong password", async ({
    page,
    site,
    newPerson,
  }) => {
    const person = await newPerson();
    await page.request.post("/api/v1/session", {
      data: { user_name: person.name, password: "not the password" },
    });
    await signIn(page, site.admin);
    await page.goto("/admin/audit");
    const failed = words.audit.event["sign-in-failed"].known.replace("{account}", person.name);
    const row = page.getByRole("row").filter({ hasText: failed });
    await expect(row).toContainText("127.0.0.1");
    const signedIn = words.audit.event["signed-in"]["known-v1"].replace("{who}", person.name);
    await expect(page.getByRole("row").filter({ hasText: signedIn })).toBeVisible();
  });

  test("a queue in which nothing waits says so", async ({ page, site }) => {
    await signIn(page, site.admin);
    await page.goto("/admin/jobs");
    await expect(page.getByText(words.jobs.idle, { exact: true })).toBeVisible();
    await expect(page.getByRole("region", { name: words.jobs.lane.records })).toBeVisible();
  });

  test("what was set aside is tried again or dropped, after a question", async ({ page, site }) => {
    await signIn(page, site.admin);
    let rows = ["lilei", "photo.jpg"].map((name, at) => ({
      ticket: `t${at}`,
      ...{ name, about: at === 0 ? "account" : "file", reason: "the name is taken" },
      at: "2026-05-01T08:00:00Z",
    }));
    const asked: string[] = [];
    await page.route("**/api/v1/admin/queue", (route) =>
      route.fulfill({ json: { lanes: [{ lane: "records", waiting: 0, set_aside: rows.length }] } }),
    );
    await page.route("**/api/v1/admin/queue/records?*", (route) =>
      route.fulfill({ json: { rows } }),
    );
    await page.route(/queue\/records\/(retry|drop)$/, (route) => {
      const { ticket } = route.request().postDataJSON() as { ticket: string };
      asked.push(`${route.request().url().split("/").pop()} ${ticket}`);
      rows = rows.filter((row) => row.ticket !== ticket);
      return route.fulfill({ status: 204 });
    });
    await page.goto("/admin/jobs");
    await expectAccessible(page);
    await press(
      page.getByRole("button", { name: words.jobs["retry-label"].replace("{name}", "lilei") }),
    );
    await expect(page.getByText("lilei")).toBeHidden();
    await press(
      page.getByRole("button", { name: words.jobs["drop-label"].replace("{name}", "photo.jpg") }),
    );
    const dialog = page.getByRole("dialog");
    await expect(dialog).toContainText(words.jobs["drop-text"]);
    await press(dialog.getByRole("button", { name: words.jobs.drop }));
    await expect(page.getByText(words.jobs.idle, { exact: true })).toBeVisible();
    expect(asked).toEqual(["retry t0", "drop t1"]);
  });

  test("the cluster is a sentence first, then groups, then a chart with its numbers", async ({
    page,
    site,
  }) => {
    await signIn(page, site.admin);
    await fakeCluster(page);
    await page.goto("/admin/cluster");
    const some = words.cluster.sentence["some-serve"];
    const sentence = page.locator("[data-sentence]");
    await expect(sentence).toContainText(some.replace("{serving}", "3").replace("{count}", "4"));
    await expect(sentence).toContainText(
      words.cluster.sentence.is.offline
        .replace("{address}", "10.0.0.2:23000")
        .replace("{group}", "group1"),
    );
    const findings = page.getByRole("region", { name: words.cluster.findings.title });
    const offline = findings.locator("[data-finding=storage_offline]");
    await expect(offline).toContainText(words.cluster.findings.error);
    await expect(offline).toContainText(`storage group1/10.0.0.2:23000 (${locale})`);
    await expect(offline).toContainText(`todo (${locale})`);
    const group = page.getByRole("region", { name: "group1" });
    await expect(group.getByText(words.cluster.todo.offline)).toBeVisible();
    await press(
      group.getByRole("button", { name: words.cluster["traffic-of"].replace("{name}", "group1") }),
    );
    const dialog = page.getByRole("dialog");
    await expect(dialog.locator("canvas")).toBeVisible();
    await expect(dialog.getByRole("row")).toHaveCount(61);
    await press(dialog.getByRole("radio", { name: words.cluster.chart.metric.free }));
    await expect(dialog.getByRole("columnheader").last()).toHaveText(
      words.cluster.chart.free_bytes,
    );
    await expectAccessible(page);
    await shot(page, `chart-${locale}`);
  });

  test("with S3 there is no cluster, and the page says so", async ({ page, site }) => {
    await signIn(page, site.admin);
    await fakeCluster(page, { kind: "s3", trackers: [], groups: [] });
    await page.goto("/admin/cluster");
    await expect(page.locator("[data-sentence]")).toContainText(words.cluster.sentence.s3);
  });

  test("administration stands in nobody's way", async ({ page, site, newPerson }) => {
    const person = await newPerson("somebody-with-a-long");
    await person.api.patch("/api/v1/me", { data: { nick_name: "名".repeat(32) } });
    await signIn(page, site.admin);
    await fakeCluster(page);
    for (const place of ["overview", "people", "cluster", "jobs", "audit"] as const) {
      await page.goto(`/admin/${place}`);
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      await expect(page.getByRole("status", { name: words.loading })).toBeHidden();
      if (place === "people") {
        await page.getByRole("searchbox", { name: words.people.find }).fill(person.name);
        await expect(page.locator("tbody tr")).toHaveCount(1);
      }
      await expectAccessible(page);
      await expectNoSideways(page);
      await shot(page, `${place}-${phone ? "phone-" : ""}${locale}`);
    }
  });
});
