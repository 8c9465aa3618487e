/** Markdown as HTML that can do nothing but be read. */
import DOMPurify from "dompurify";
import MarkdownIt from "markdown-it";

/** Links lead out of the page, into a tab of their own that knows nothing of this one. */
const OUTWARD = /^(https?|mailto):/i;
const HERE = /^data:image\//i;

const reader = new MarkdownIt({ html: false, linkify: true });

// Pictures of other places are not fetched: whoever wrote the text would know who reads it. They are links instead.
reader.renderer.rules.image = (tokens, at, options, environment, self) => {
  const token = tokens[at];
  if (!token) return "";
  const address = String(token.attrGet("src") ?? "");
  const name = self.renderInlineAsText(token.children ?? [], options, environment) || address;
  const text = reader.utils.escapeHtml(name);
  if (HERE.test(address)) return `<img src="${reader.utils.escapeHtml(address)}" alt="${text}">`;
  return OUTWARD.test(address)
    ? `<a class="picture" href="${reader.utils.escapeHtml(address)}">${text}</a>`
    : `<span class="picture">${text}</span>`;
};

// Columns are aligned by a style attribute otherwise, which the page's policy forbids.
reader.core.ruler.push("align", (state) => {
  for (const token of state.tokens) {
    const align = /text-align:\s*(left|center|right)/.exec(
      String(token.attrGet("style") ?? ""),
    )?.[1];
    if (!align) continue;
    token.attrs = (token.attrs ?? []).filter(([name]) => name !== "style");
    token.attrSet("class", `align-${align}`);
  }
});

const purify = DOMPurify(window);
purify.addHook("afterSanitizeAttributes", (element) => {
  if (!(element instanceof HTMLAnchorElement)) return;
  if (!OUTWARD.test(element.getAttribute("href") ?? "")) {
    // A file beside this one, or a heading: there is nowhere to go.
    element.removeAttribute("href");
    return;
  }
  element.setAttribute("target", "_blank");
  element.setAttribute("rel", "noopener noreferrer");
});

export function render(text: string): string {
  return purify.sanitize(reader.render(text), {
    USE_PROFILES: { html: true },
    FORBID_TAGS: ["style", "form", "input", "button", "textarea", "select", "video", "audio"],
    FORBID_ATTR: ["style", "srcset", "id", "name"],
  });
}
