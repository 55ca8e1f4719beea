/** Debian's Chromium for the tests and the screenshots of the pages. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Where the browser is; null when none is installed: `apt install chromium`. */
export function browserPath(): string | null {
  return PATHS.find((path) => existsSync(path)) ?? null;
}

/** Part of the name of a group of tests that needs a browser: why it is skipped, where it is. */
export const WITHOUT_BROWSER = browserPath() === null ? " (skipped: no Chromium is installed: apt install chromium)" : "";

export async function launchBrowser(): Promise<Browser> {
  const executablePath = browserPath();
  if (executablePath === null) throw new Error("no Chromium is installed: apt install chromium");
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
