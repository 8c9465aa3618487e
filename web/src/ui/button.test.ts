import { mount } from "@vue/test-utils";
import { TooltipProvider } from "reka-ui";
import { expect, test } from "vitest";
import { h } from "vue";
import Button from "./button.vue";

test.each([
  ["with a label", false],
  ["with an icon only", true],
])("a button %s takes presses, classes and a longer name", async (_, iconOnly) => {
  let presses = 0;
  const page = mount({
    render: () =>
      h(TooltipProvider, () => [
        h(Button, {
          label: "Go",
          iconOnly,
          class: "w-full",
          "aria-label": "Go there",
          onClick: () => presses++,
        }),
      ]),
  });
  await page.get("button").trigger("click");
  expect(presses).toBe(1);
  expect(page.get("button").classes()).toContain("w-full");
  expect(page.get("button").attributes("aria-label")).toBe("Go there");
});
