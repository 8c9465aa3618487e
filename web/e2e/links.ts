/** Links made through the API, and strangers who open them. */
import type { Browser, Page } from "@playwright/test";
import { browserOf, expect, type Face, type Person, type Site } from "./kit";

export interface Link {
  id: string;
  token: string;
  code: string | null;
  path: string;
}

/** Makes a link. Without terms it asks for no code. */
export async function makeLink(who: Person, node: string, terms: object = {}): Promise<Link> {
  const answer = await who.api.post(`/api/v1/nodes/${node}/shares`, { data: terms });
  expect(answer.status(), await answer.text()).toBe(201);
  const made = (await answer.json()) as { id: string; token: string; code: { text?: string } };
  return { id: made.id, token: made.token, code: made.code.text ?? null, path: `/s/${made.token}` };
}

export async function changeLink(who: Person, link: Link, terms: object): Promise<void> {
  const answer = await who.api.patch(`/api/v1/shares/${link.id}`, { data: terms });
  expect(answer.status(), await answer.text()).toBe(200);
}

export async function withdraw(who: Person, link: Link): Promise<void> {
  const answer = await who.api.post(`/api/v1/shares/${link.id}/revoke`);
  expect(answer.status(), await answer.text()).toBe(204);
}

/** A browser of somebody who has no account. */
export async function stranger(browser: Browser, site: Site, face: Face): Promise<Page> {
  const context = await browser.newContext({ baseURL: site.url, ...browserOf(face) });
  return await context.newPage();
}
