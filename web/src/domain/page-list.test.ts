import { expect, test } from "vitest";
import { PageList, type PageOf } from "./page-list";

const pages: Record<string, PageOf<number, string>> = {
  "": { rows: [1, 2], next: "b" },
  b: { rows: [3], next: null },
};
const fetch = async (cursor: string | null): Promise<PageOf<number, string>> => {
  const page = pages[cursor ?? ""];
  if (!page) throw new Error("no such page");
  return page;
};

test("pages follow each other until the last", async () => {
  const list = new PageList(fetch);
  await list.more();
  expect([list.rows, list.ended]).toEqual([[1, 2], false]);
  await list.more();
  await list.more();
  expect([list.rows, list.ended, list.state]).toEqual([[1, 2, 3], true, "ready"]);
});

test("reading again begins anew", async () => {
  const list = new PageList(fetch);
  await list.more();
  await list.more();
  await list.again();
  expect([list.rows, list.ended]).toEqual([[1, 2], false]);
});

test("what failed is asked for again, and what was read stays", async () => {
  let broken = false;
  const list = new PageList<number, string>(async (cursor) => {
    if (broken) throw new Error("away");
    return fetch(cursor);
  });
  await list.more();
  broken = true;
  await list.more();
  expect([list.state, list.rows]).toEqual(["failed", [1, 2]]);
  broken = false;
  await list.more();
  expect(list.rows).toEqual([1, 2, 3]);
});

test("an answer that comes after a newer question is thrown away", async () => {
  const waiting: ((page: PageOf<number, string>) => void)[] = [];
  const list = new PageList<number, string>(
    () => new Promise((resolve) => waiting.push((page) => resolve(page))),
  );
  const old = list.again();
  const now = list.again();
  waiting[1]?.({ rows: [2], next: null });
  await now;
  waiting[0]?.({ rows: [1], next: "b" });
  await old;
  expect([list.rows, list.ended]).toEqual([[2], true]);
});
