import { describe, expect, test } from "vitest";
import { columns, decode, lines } from "./decode";

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
/** 你好，世界 as Windows writes it in China. */
const GB = Uint8Array.of(0xc4, 0xe3, 0xba, 0xc3, 0xa3, 0xac, 0xca, 0xc0, 0xbd, 0xe7);

describe("texts", () => {
  test.each([
    ["ASCII", utf8("plain\n"), "plain\n", "utf-8"],
    ["UTF-8", utf8("你好，世界"), "你好，世界", "utf-8"],
    ["a mark before UTF-8", Uint8Array.of(0xef, 0xbb, 0xbf, 0x61), "a", "utf-8"],
    ["GB18030", GB, "你好，世界", "gb18030"],
    ["four bytes of GB18030", Uint8Array.of(0x95, 0x32, 0x82, 0x36), "𠀀", "gb18030"],
    ["UTF-16 of Windows", Uint8Array.of(0xff, 0xfe, 0x60, 0x4f, 0x0a, 0), "你\n", "utf-16"],
    ["UTF-16, the high byte first", Uint8Array.of(0xfe, 0xff, 0x4f, 0x60), "你", "utf-16"],
    ["colours of a terminal", utf8("\u001b[31mred\u001b[0m"), "\u001b[31mred\u001b[0m", "utf-8"],
    ["nothing", new Uint8Array(0), "", "utf-8"],
  ])("%s", (_name, bytes, text, encoding) => {
    expect(decode(bytes, false)).toEqual({ text, encoding });
  });

  test.each([
    ["a picture", Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d)],
    ["neither encoding", Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0x10)],
    ["control characters", Uint8Array.of(1, 2, 3, 4, 5, 6, 65, 66)],
  ])("%s is no text", (_name, bytes) => {
    expect(decode(bytes, false)).toBeNull();
  });

  test("a character that the cut goes through is left out", () => {
    const whole = utf8("一二三");
    expect(decode(whole.subarray(0, 8), true)?.text).toBe("一二");
    expect(decode(whole.subarray(0, 8), false)?.encoding).not.toBe("utf-8");
    expect(decode(GB.subarray(0, 9), true)).toEqual({ text: "你好，世", encoding: "gb18030" });
  });

  test("every end of a line ends it", () => {
    expect(lines("a\nb\r\nc\rd")).toEqual(["a", "b", "c", "d"]);
    expect(lines("a\n")).toEqual(["a"]);
    expect(lines("a\n\n")).toEqual(["a", ""]);
    expect(lines("")).toEqual([""]);
  });

  test("Chinese characters are two columns wide", () => {
    expect(columns("ab")).toBe(2);
    expect(columns("你b")).toBe(3);
    expect(columns("a\tb")).toBe(9);
  });
});
