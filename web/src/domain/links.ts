/** Links of pictures in the forms that other places take. */

export const LINK_FORMS = ["url", "markdown", "html", "bbcode"] as const;
export type LinkForm = (typeof LINK_FORMS)[number];

/** A picture's link, and what it is called. */
export interface PictureLink {
  url: string;
  name: string;
}

/** The link as text. A name says what it is wherever the form has a place for that, and is never more than a name. */
export function linkText(form: LinkForm, link: PictureLink): string {
  switch (form) {
    case "url":
      return link.url;
    case "markdown":
      return `![${markdownText(link.name)}](${link.url.replace(/[()\s<>\\]/g, percent)})`;
    case "html":
      return `<img src="${htmlText(link.url)}" alt="${htmlText(link.name)}">`;
    case "bbcode":
      return `[img]${link.url.replace(/[[\]\s]/g, percent)}[/img]`;
  }
}

/** Several, one a line. */
export function linkTexts(form: LinkForm, links: readonly PictureLink[]): string {
  return links.map((link) => linkText(form, link)).join("\n");
}

// In Markdown a backslash takes its meaning from a sign.
function markdownText(text: string): string {
  return text.replace(/[\\`*_[\]<>&~!]/g, "\\$&");
}

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
function htmlText(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign);
}

function percent(sign: string): string {
  return `%${sign.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
}
