/** Reading PDFs: pdf.js with everything that it needs from our own origin. It evaluates no code of documents. */
import {
  GlobalWorkerOptions,
  getDocument,
  InvalidPDFException,
  PasswordException,
  type PDFDocumentLoadingTask,
  VerbosityLevel,
  version,
} from "pdfjs-dist";
import workerUrl from "pdfjs-dist/build/pdf.worker.min.mjs?url";

export { RenderingCancelledException, TextLayer } from "pdfjs-dist";

GlobalWorkerOptions.workerSrc = workerUrl;

/** Where the build puts the tables and fonts of documents that have none of their own (`tools/pdf-data.ts`). */
const DATA = `/assets/pdfjs-${version}/`;
/** Bytes fetched at a time. */
const CHUNK_BYTES = 256 * 1024;
/** Pixels of a picture within a document; larger ones are left out rather than the page ending. */
const IMAGE_PIXELS_MAX = 64 * 1024 * 1024;

export function open(url: string): PDFDocumentLoadingTask {
  return getDocument({
    url,
    cMapUrl: `${DATA}cmaps/`,
    standardFontDataUrl: `${DATA}standard_fonts/`,
    wasmUrl: `${DATA}wasm/`,
    iccUrl: `${DATA}iccs/`,
    // Parts are fetched as pages are looked at, never the whole of a large document.
    rangeChunkSize: CHUNK_BYTES,
    disableAutoFetch: true,
    disableStream: true,
    disableWorkerRendering: true,
    maxImageSize: IMAGE_PIXELS_MAX,
    verbosity: VerbosityLevel.ERRORS,
  });
}

/** What is wrong with a document that was not opened, if it is the document. */
export function wrongWith(error: unknown): "damaged" | "locked" | null {
  if (error instanceof PasswordException) return "locked";
  return error instanceof InvalidPDFException ? "damaged" : null;
}
