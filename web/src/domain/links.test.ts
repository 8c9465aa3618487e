import MarkdownIt from "markdown-it";
import { describe, expect, test } from "vitest";
import { LINK_FORMS, linkText, linkTexts } from "./links";

const URL = "https://drive.example/api/v1/public/shares/0a/nodes/1f/content";

describe("links of pictures", () => {
  test.each([
    ["cat.png", "url", URL],
    ["cat.png", "markdown", `![cat.png](${URL})`],
    ["cat.png", "html", `<img src="${URL}" alt="cat.png">`],
    ["cat.png", "bbcode", `[img]${URL}[/img]`],
    ["图 1.png", "markdown", `![图 1.png](${URL})`],
    ["a](x) [b.png", "markdown", `![a\\](x) \\[b.png](${URL})`],
    ["*a*_b_`c`\\.png", "markdown", `![\\*a\\*\\_b\\_\\\`c\\\`\\\\.png](${URL})`],
    ["a.b-c (2).png", "markdown", `![a.b-c (2).png](${URL})`],
    [`"><script>&'.png`, "html", `<img src="${URL}" alt="&quot;&gt;&lt;script&gt;&amp;&#39;.png">`],
    ["[/img].png", "bbcode", `[img]${URL}[/img]`],
  ] as const)("%s as %s", (name, form, text) => {
    expect(linkText(form, { url: URL, name })).toBe(text);
  });

  test("an address never ends the form that it is in", () => {
    expect(linkText("markdown", { url: "http://a/b (c)", name: "d" })).toBe(
      "![d](http://a/b%20%28c%29)",
    );
    expect(linkText("bbcode", { url: "http://a/[/img]", name: "d" })).toBe(
      "[img]http://a/%5B/img%5D[/img]",
    );
    expect(linkText("html", { url: 'http://a/"b', name: "d" })).toBe(
      '<img src="http://a/&quot;b" alt="d">',
    );
  });

  test.each([
    "a](http://elsewhere) [b.png",
    "![x](y).png",
    "`code`.png",
    "*stars* and _lines_ ~~and~~.png",
    "<b>&amp;\\[.png",
    "back\\",
    "https://elsewhere.example/a.png",
    "图床（一）.png",
  ])("what reads Markdown finds the name %s again", (name) => {
    const html = new MarkdownIt({ html: true }).render(linkText("markdown", { url: URL, name }));
    const page = new DOMParser().parseFromString(html, "text/html");
    const pictures = [...page.querySelectorAll("img")];
    expect(pictures.map((one) => [one.getAttribute("src"), one.getAttribute("alt")])).toEqual([
      [URL, name],
    ]);
    expect(page.body.textContent?.trim()).toBe("");
  });

  test("several are one a line", () => {
    const two = [
      { url: "http://a", name: "a" },
      { url: "http://b", name: "b" },
    ];
    for (const form of LINK_FORMS) expect(linkTexts(form, two).split("\n")).toHaveLength(2);
    expect(linkTexts("url", [])).toBe("");
  });
});
