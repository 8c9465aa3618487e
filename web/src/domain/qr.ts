/** QR codes as shapes. */

/** White modules around it, which scanners need. */
export const QUIET_ZONE = 4;

/** The dark modules of a matrix as the path of an SVG, one unit each; neighbours in a row are one rectangle. */
export function qrPath(matrix: readonly (readonly boolean[])[]): string {
  let path = "";
  matrix.forEach((row, y) => {
    let x = 0;
    while (x < row.length) {
      if (!row[x]) {
        x += 1;
        continue;
      }
      const from = x;
      while (row[x]) x += 1;
      path += `M${from} ${y}h${x - from}v1h${from - x}z`;
    }
  });
  return path;
}
