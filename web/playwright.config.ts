import { defineConfig } from "@playwright/test";

/** Debian's Chromium; without its sandbox where the tests run as root. */
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** What takes its own time is alone on the machine: after everything else. */
const flows = { name: "flows", testMatch: "*.spec.ts" };
const times = { name: "times", testMatch: "times.ts", dependencies: [flows.name] };
const images = { name: "images", testMatch: "images.ts" };
/** Against a `cairn up` that somebody else has started. */
const newcomer = { name: "newcomer", testMatch: "newcomer.ts" };
/** Against a whole cluster that `cargo xtask soak` has started. */
const soak = { name: "soak", testMatch: "soak.ts" };

function wanted() {
  if (process.env.IMAGES) return [images];
  if (process.env.NEWCOMER_URL) return [newcomer];
  if (process.env.SOAK_URL) return [soak];
  return [flows, times];
}

export default defineConfig({
  testDir: "e2e",
  projects: wanted(),
  fullyParallel: true,
  workers: 2,
  retries: 0,
  timeout: 120_000,
  expect: { timeout: 20_000 },
  reporter: [["list"]],
  outputDir: process.env.SOAK_OUTPUT ?? "../target/e2e",
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
