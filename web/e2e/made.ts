/** Files that tests look at: small, and real. */
import { crc32, deflateSync } from "node:zlib";

/** Red, green and blue of a place, each 0 to 255; the place from 0 to 1. */
export type Paint = (x: number, y: number) => readonly [number, number, number];

const gradient: Paint = (x, y) => [x * 255, y * 255, 160];

/** A PNG: a gradient, so that what is large and what is small can be told apart, or what is painted. */
export function png(width: number, height: number, alpha = 255, paint = gradient): Buffer {
  const rows = Buffer.alloc((width * 4 + 1) * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = y * (width * 4 + 1) + 1 + x * 4;
      rows.set([...paint(x / width, y / height), alpha], at);
    }
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 6, 0, 0, 0], 8);
  const chunk = (name: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(name, "latin1"), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  return Buffer.concat([
    Buffer.from("89504e470d0a1a0a", "hex"),
    chunk("IHDR", head),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

/** A tone of so many seconds. */
export function wav(seconds: number): Buffer {
  const RATE = 8_000;
  const length = seconds * RATE;
  const bytes = Buffer.alloc(44 + length, 128);
  bytes.write("RIFF", 0, "latin1");
  bytes.writeUInt32LE(36 + length, 4);
  bytes.write("WAVEfmt ", 8, "latin1");
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(RATE, 24);
  bytes.writeUInt32LE(RATE, 28);
  bytes.writeUInt16LE(1, 32);
  bytes.writeUInt16LE(8, 34);
  bytes.write("data", 36, "latin1");
  bytes.writeUInt32LE(length, 40);
  for (let at = 0; at < length; at += 1) bytes[44 + at] = 128 + Math.sin(at / 3) * 60;
  return bytes;
}

/** A PDF of so many pages. Each has a line of Chinese in a font that is not in the file, and its number in Helvetica. */
export function pdf(chinese: string, pages: number): Buffer {
  const parts: Buffer[] = [Buffer.from("%PDF-1.4\n", "latin1")];
  const places: number[] = [];
  let length = parts[0]?.length ?? 0;
  const put = (body: string): void => {
    places.push(length);
    const part = Buffer.from(`${places.length} 0 obj\n${body}\nendobj\n`, "latin1");
    parts.push(part);
    length += part.length;
  };
  const codes = Buffer.from(chinese, "utf16le").swap16().toString("hex");
  const kids = Array.from({ length: pages }, (_, at) => `${6 + at * 2} 0 R`).join(" ");
  put("<< /Type /Catalog /Pages 2 0 R >>");
  put(`<< /Type /Pages /Count ${pages} /Kids [${kids}] /MediaBox [0 0 400 500] >>`);
  put(
    "<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H /DescendantFonts [4 0 R] >>",
  );
  put(
    "<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 2 >> /DW 1000 >>",
  );
  put("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>");
  for (let page = 1; page <= pages; page += 1) {
    put(
      `<< /Type /Page /Parent 2 0 R /Contents ${5 + page * 2} 0 R /Resources << /Font << /C 3 0 R /L 5 0 R >> >> >>`,
    );
    const text = `BT /C 24 Tf 40 420 Td <${codes}> Tj ET BT /L 18 Tf 40 380 Td (sheet ${page}) Tj ET`;
    put(`<< /Length ${text.length} >>\nstream\n${text}\nendstream`);
  }
  const table = places.map((place) => `${String(place).padStart(10, "0")} 00000 n \n`).join("");
  const size = places.length + 1;
  parts.push(
    Buffer.from(
      `xref\n0 ${size}\n0000000000 65535 f \n${table}trailer\n<< /Size ${size} /Root 1 0 R >>\nstartxref\n${length}\n%%EOF\n`,
      "latin1",
    ),
  );
  return Buffer.concat(parts);
}

/** 你好，世界 as Windows writes it in China. */
export const GB18030_HELLO = Buffer.from("c4e3bac3a3accac0bde7", "hex");
