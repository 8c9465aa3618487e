// Templates, accessibility, and which folder may know which. Layout is Biome's.
import vue from "eslint-plugin-vue";
import accessibility from "eslint-plugin-vuejs-accessibility";
import ts from "typescript-eslint";
import vueParser from "vue-eslint-parser";

/** What a folder of src/ must not import. */
const layers = [
  ["ui", ["@/api", "@/domain", "@/state", "@/actions", "@/features"]],
  ["domain", ["@/api/client", "@/state", "@/actions", "@/features", "@/ui", "@/i18n", "vue"]],
  ["api", ["@/domain", "@/state", "@/actions", "@/features", "@/ui"]],
  ["state", ["@/actions", "@/features", "@/ui"]],
  ["actions", ["@/features", "@/ui"]],
  ["parts", ["@/features"]],
];

export default [
  { ignores: ["dist/**", "src/api/gen.ts"] },
  ...vue.configs["flat/recommended"],
  ...accessibility.configs["flat/recommended"],
  {
    files: ["**/*.vue"],
    languageOptions: {
      parser: vueParser,
      parserOptions: { parser: ts.parser, sourceType: "module" },
    },
    rules: {
      "vue/html-indent": "off",
      "vue/html-self-closing": "off",
      "vue/html-closing-bracket-newline": "off",
      "vue/max-attributes-per-line": "off",
      "vue/singleline-html-element-content-newline": "off",
      "vue/multiline-html-element-content-newline": "off",
      "vue/multi-word-component-names": "off",
      "vue/first-attribute-linebreak": "off",
      "vue/attributes-order": "off",
      "vue/require-default-prop": "off",
      "vue/no-v-html": "error",
      "vuejs-accessibility/label-has-for": ["error", { required: { some: ["nesting", "id"] } }],
    },
  },
  { files: ["**/*.ts"], languageOptions: { parser: ts.parser } },
  ...layers.map(([folder, forbidden]) => ({
    files: [`src/${folder}/**`],
    rules: {
      "no-restricted-imports": [
        "error",
        { patterns: [{ group: forbidden.flatMap((name) => [name, `${name}/**`]) }] },
      ],
    },
  })),
];
