import { expect, test } from "vitest";
import { generatedPassword, nameFault, passwordFault } from "./account-rules";

test.each([
  ["李雷", null],
  ["LiLei.2024", null],
  ["a", "name-length"],
  ["", "name-length"],
  ["名".repeat(32), null],
  ["名".repeat(33), "name-length"],
  [".hidden", "name-characters"],
  ["two words", "name-characters"],
  ["a/b", "name-characters"],
  ["cafe\u0301", null],
  ["a@b.cn", "name-characters"],
])("a user name is letters and digits of any language: %j", (text, fault) => {
  expect(nameFault(text)).toBe(fault);
});

test.each([
  ["seven77", "password-short"],
  ["eight888", null],
  ["七个汉字的密码", "password-short"],
  ["八个汉字的密码啊", null],
  ["a".repeat(1024), null],
  ["密".repeat(342), "password-long"],
])("of a password only its length is looked at: %#", (text, fault) => {
  expect(passwordFault(text)).toBe(fault);
});

test("a password that is handed over can be read out, and is another each time", () => {
  expect(generatedPassword()).toMatch(/^([a-z2-9A]{4}-){3}[a-z2-9A]{4}$/);
  expect(generatedPassword()).not.toBe(generatedPassword());
  expect(passwordFault(generatedPassword())).toBeNull();
  expect(generatedPassword((count) => new Uint8Array(count).fill(33))).toBe("bbbb-bbbb-bbbb-bbbb");
});
