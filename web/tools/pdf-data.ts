/**
 * What pdf.js needs beside its code, from our own origin: tables of Chinese, Japanese and Korean characters, the fonts
 * that documents may leave out, decoders of pictures, colour profiles. The folder's name has the version: another
 * content has another name, as all names below assets/ have it.
 */
import { createReadStream, existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

const FOLDERS = ["cmaps", "standard_fonts", "wasm", "iccs"];
/** Scripts of documents are never run, and every browser that the page is for has WebAssembly. */
const LEFT_OUT = /quickjs|QUICKJS|_nowasm_fallback\.js$/;

export function pdfData(): Plugin {
  const home = dirname(createRequire(import.meta.url).resolve("pdfjs-dist/package.json"));
  const { version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8")) as {
    version: string;
  };
  const base = `assets/pdfjs-${version}/`;
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(home, folder))
      .filter((name) => !LEFT_OUT.test(name))
      .map((name) => `${folder}/${name}`),
  );
  return {
    name: "cairn-pdf-data",
    generateBundle() {
      for (const file of files) {
        this.emitFile({
          type: "asset",
          fileName: base + file,
          source: readFileSync(join(home, file)),
        });
      }
    },
    configureServer(server) {
      server.middlewares.use(`/${base}`, (request, response, next) => {
        const file = (request.url ?? "").slice(1).replace(/\?.*$/, "");
        if (!files.includes(file) || !existsSync(join(home, file))) return next();
        if (file.endsWith(".wasm")) response.setHeader("content-type", "application/wasm");
        createReadStream(join(home, file)).pipe(response);
      });
    },
  };
}
