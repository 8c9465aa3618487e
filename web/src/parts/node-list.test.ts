import { flushPromises, mount } from "@vue/test-utils";
import { TooltipProvider } from "reka-ui";
import { beforeAll, expect, test } from "vitest";
import { h } from "vue";
import { i18n, speak } from "@/i18n";
import { Listing, type Row } from "@/state/listing";
import NodeList from "./node-list.vue";

const PAGE = 1_000;
const HEIGHT = 600;
/** So many rows take a while where much else is done. */
const SLOW_MS = 60_000;

function row(at: number): Row {
  return {
    id: String(at + 1),
    kind: "file",
    name: `file ${at}.txt`,
    parent: "1",
    size: 1,
    media_type: "text/plain",
    created_at: "2026-05-01T00:00:00Z",
    modified_at: "2026-05-01T00:00:00Z",
    downloads: 0,
  };
}

/** A folder with so many files, in pages. */
function folder(count: number): Listing {
  return new Listing({
    place: "folder",
    whole: true,
    load: async (cursor) => {
      const from = Number(cursor ?? 0);
      const to = Math.min(from + PAGE, count);
      return {
        rows: Array.from({ length: to - from }, (_, at) => row(from + at)),
        next: to < count ? String(to) : null,
      };
    },
  });
}

beforeAll(async () => {
  await speak("en");
  // There is no layout here: everything is as high as the list.
  for (const side of ["offsetHeight", "clientHeight"]) {
    Object.defineProperty(HTMLElement.prototype, side, { get: () => HEIGHT, configurable: true });
  }
  for (const side of ["offsetWidth", "clientWidth"]) {
    Object.defineProperty(HTMLElement.prototype, side, { get: () => 1_000, configurable: true });
  }
});

async function show(listing: Listing, view: "list" | "grid") {
  await listing.open();
  const shown = mount(
    {
      render: () =>
        h(TooltipProvider, () => h(NodeList, { listing, columns: [], label: "Files", view })),
    },
    { global: { plugins: [i18n] }, attachTo: document.body },
  );
  await flushPromises();
  return shown;
}

test("of 50,000 rows only those in sight are there, and End goes to the last", {
  timeout: SLOW_MS,
}, async () => {
  const listing = folder(50_000);
  const shown = await show(listing, "list");
  const rows = () => shown.findAll("[data-id]");
  expect(listing.rows.value.length).toBe(50_000);
  expect(shown.find("[role=grid]").attributes("aria-rowcount")).toBe("50001");
  expect(rows().length).toBeGreaterThan(HEIGHT / 40);
  expect(rows().length).toBeLessThan(100);

  const first = shown.find("[data-id='1']");
  expect(first.attributes("tabindex")).toBe("0");
  expect(first.attributes("aria-rowindex")).toBe("2");
  await first.trigger("keydown", { key: "End" });
  await flushPromises();
  expect(listing.focused.value).toBe("50000");
  const last = shown.find("[data-id='50000']");
  expect(last.exists()).toBe(true);
  expect(last.attributes("aria-rowindex")).toBe("50001");
  expect(document.activeElement).toBe(last.element);
  expect(rows().length).toBeLessThan(100);

  await last.trigger("keydown", { key: "Home", shiftKey: true });
  await flushPromises();
  expect(listing.selection.value.ids.size).toBe(50_000);
  expect(listing.focused.value).toBe("1");
  expect(rows().length).toBeLessThan(100);
  shown.unmount();
});

test("of 50,000 tiles only those in sight are there", { timeout: SLOW_MS }, async () => {
  const shown = await show(folder(50_000), "grid");
  expect(shown.findAll("[data-id]").length).toBeGreaterThan(10);
  expect(shown.findAll("[data-id]").length).toBeLessThan(100);
  shown.unmount();
});

test("what is typed goes to the name that begins so, however far it is", {
  timeout: SLOW_MS,
}, async () => {
  const listing = folder(3_000);
  const shown = await show(listing, "list");
  for (const key of "file 2345") {
    const at = shown.find(`[data-id='${listing.focused.value}']`);
    await at.trigger("keydown", { key });
    await flushPromises();
  }
  expect(listing.row(listing.focused.value ?? "")?.name).toBe("file 2345.txt");
  shown.unmount();
});

test("a name that is typed stays while rows come before its own", async () => {
  let count = 2;
  const listing = new Listing({
    place: "folder",
    whole: true,
    load: async () => ({ rows: [3, 2, 1, 0].slice(4 - count).map(row), next: null }),
  });
  const shown = await show(listing, "list");
  listing.rename("1");
  await flushPromises();
  await shown.find("input[type=text]").setValue("half a na");
  count = 4;
  await listing.refresh();
  await flushPromises();
  const field = shown.find<HTMLInputElement>("input[type=text]").element;
  expect([field.value, field.closest("[data-id]")?.getAttribute("data-id")]).toEqual([
    "half a na",
    "1",
  ]);
  shown.unmount();
});
