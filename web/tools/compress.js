// Puts the compressed forms of what was built next to it, and checks what a first visit costs.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const DIST = new URL("../dist", import.meta.url).pathname;
// Bytes, compressed, that the first visit may load: what index.html names.
const FIRST_LOAD_MAX = 250_000;
const COMPRESSIBLE = /\.(html|js|mjs|css|json|svg|wasm|webmanifest|txt|bcmap)$/;

const sizes = new Map();
for (const entry of readdirSync(DIST, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (!entry.isFile() || !COMPRESSIBLE.test(path)) continue;
  const bytes = readFileSync(path);
  const brotli = brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      [constants.BROTLI_PARAM_LGWIN]: 22,
    },
  });
  sizes.set(path.slice(DIST.length), brotli.length);
  if (brotli.length < bytes.length) writeFileSync(`${path}.br`, brotli);
  const gzip = gzipSync(bytes, { level: 9 });
  if (gzip.length < bytes.length) writeFileSync(`${path}.gz`, gzip);
}

const html = readFileSync(join(DIST, "index.html"), "utf8");
const named = [...html.matchAll(/(?:src|href)="(\/[^"]+\.(?:js|css))"/g)].map(
  (match) => match[1] ?? "",
);
const first = ["/index.html", ...named].reduce((sum, path) => sum + (sizes.get(path) ?? 0), 0);
console.log(
  `first load: ${(first / 1000).toFixed(1)} kB compressed (at most ${FIRST_LOAD_MAX / 1000})`,
);
if (first > FIRST_LOAD_MAX) process.exit(1);
