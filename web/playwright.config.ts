import { defineConfig } from "@playwright/test";

/** Debian's Chromium; without its sandbox where the tests run as root. */
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

export default defineConfig({
  testDir: "e2e",
  testMatch: process.env.IMAGES ? "images.ts" : "*.spec.ts",
  fullyParallel: true,
  workers: 2,
  retries: 0,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: [["list"]],
  outputDir: "../target/e2e",
  use: {
    browserName: "chromium",
    launchOptions: {
      executablePath,
      args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    },
    viewport: { width: 1280, height: 800 },
    locale: "en",
    trace: "off",
    screenshot: "only-on-failure",
  },
});
