import { fileURLToPath } from "node:url";
import tailwind from "@tailwindcss/vite";
import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vitest/config";
import { pdfData } from "./tools/pdf-data.ts";

/** Where a drive answers while the page is written: `CAIRN_URL=http://127.0.0.1:8080 npm run dev`. */
const drive = process.env.CAIRN_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [vue(), tailwind(), pdfData()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  define: {
    // Messages are compiled without `eval`, and the old interface of vue-i18n is left out.
    __VUE_I18N_FULL_INSTALL__: false,
    __VUE_I18N_LEGACY_API__: false,
    __INTLIFY_DROP_MESSAGE_COMPILER__: false,
    __INTLIFY_JIT_COMPILATION__: true,
    __VUE_OPTIONS_API__: false,
  },
  build: {
    target: "es2022",
    // The page's policy allows no code and no styles within the document.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 600,
  },
  worker: { format: "es" },
  server: { host: "127.0.0.1", proxy: { "/api": drive, "/healthz": drive } },
  test: { environment: "happy-dom", include: ["src/**/*.test.ts"] },
});
