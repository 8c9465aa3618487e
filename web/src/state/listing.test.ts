import { expect, test } from "vitest";
import { only } from "@/domain/selection";
import { Listing, type Row } from "./listing";

function row(id: string): Row {
  return {
    id,
    kind: "file",
    name: id,
    parent: "0",
    size: 1,
    media_type: null,
    created_at: "2026-05-01T00:00:00Z",
    modified_at: "2026-05-01T00:00:00Z",
    downloads: 0,
  };
}

/** A folder whose files are these letters. */
function lettered(letters: { now: string }): Listing {
  return new Listing({
    place: "folder",
    whole: true,
    load: async () => ({ rows: [...letters.now].map(row), next: null }),
  });
}
const shown = (listing: Listing): string => listing.rows.value.map((one) => one.id).join("");

test("what was taken out stays out until the drive has answered, and the next row is looked at", async () => {
  const letters = { now: "abcd" };
  const listing = lettered(letters);
  await listing.open();
  listing.lookAt("b");
  listing.choose(only("b"));
  listing.hide(["b"]);
  expect(shown(listing)).toBe("acd");
  expect(listing.focused.value).toBe("c");
  expect(listing.selection.value.ids.size).toBe(0);
  // The drive still has it: something else changed.
  await listing.refresh();
  expect(shown(listing)).toBe("acd");
  letters.now = "acd";
  listing.settle(["b"]);
  await listing.refresh();
  expect(shown(listing)).toBe("acd");
});

test("what the drive did not take out comes back", async () => {
  const listing = lettered({ now: "ab" });
  await listing.open();
  listing.hide(["a"]);
  listing.settle(["a"]);
  await listing.refresh();
  expect(shown(listing)).toBe("ab");
});

test("what comes back while the list is read in another order is shown by that", async () => {
  let answer = (): void => {};
  let slow = false;
  const listing = new Listing({
    place: "folder",
    whole: true,
    load: async () => {
      if (slow) await new Promise<void>((resolve) => (answer = resolve));
      return { rows: [..."ab"].map(row), next: null };
    },
  });
  await listing.open();
  listing.hide(["a"]);
  listing.settle(["a"]);
  slow = true;
  const overtaken = listing.refresh();
  slow = false;
  await listing.open();
  answer();
  await overtaken;
  expect(shown(listing)).toBe("ab");
});

test("a change during reading is read, too", async () => {
  const letters = { now: "a" };
  const listing = lettered(letters);
  await listing.open();
  const first = listing.refresh();
  letters.now = "ab";
  const second = listing.refresh();
  letters.now = "abc";
  const third = listing.refresh();
  await Promise.all([first, second, third]);
  expect(shown(listing)).toBe("abc");
});

test("a row that is waited for is gone to when it comes", async () => {
  const letters = { now: "a" };
  const listing = lettered(letters);
  await listing.open();
  listing.goTo({ id: "b", focus: true });
  expect(listing.takeReveal()).toBe(null);
  letters.now = "ab";
  await listing.refresh();
  expect(listing.takeReveal()).toEqual({ id: "b", focus: true });
  expect(listing.focused.value).toBe("b");
});
