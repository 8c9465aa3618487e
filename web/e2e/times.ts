import { expect, putFile, signIn, test } from "./kit";

/** From the address to a list that can be worked with, in a browser that was never here. */
const USABLE_MS = 1_000;
/** Other work on the machine may hold up one of them. */
const OPENED = 5;

test("the files can be worked with within a second, the first time that the page is opened", async ({
  browser,
  person,
  site,
}) => {
  for (let at = 0; at < 10; at += 1) await putFile(person, person.root, `${at}.txt`, "x");
  const took: number[] = [];
  for (let at = 0; at < OPENED; at += 1) {
    const context = await browser.newContext({ baseURL: site.url });
    const page = await context.newPage();
    // The page itself takes the time: asking it from here takes some, too.
    await page.addInitScript(() => {
      new MutationObserver((_, observer) => {
        if (!document.querySelector("[role=row][data-id]")) return;
        requestAnimationFrame(() => performance.mark("usable"));
        observer.disconnect();
      }).observe(document, { childList: true, subtree: true });
    });
    await signIn(page, person);
    await page.goto("/files", { waitUntil: "commit" });
    await page.getByRole("row").filter({ hasText: "0.txt" }).click();
    await expect(page.getByRole("row", { selected: true })).toHaveCount(1);
    const marks = await page.evaluate(() =>
      performance.getEntriesByName("usable").map((mark) => mark.startTime),
    );
    expect(marks).toHaveLength(1);
    took.push(...marks);
    await context.close();
  }
  expect(Math.min(...took), took.join(", ")).toBeLessThan(USABLE_MS);
});
