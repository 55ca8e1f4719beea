/** The style sheet and scripts of the pages, and what is deployed with them. */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { assetsText, storedAssets } from "../../scripts/start/assets.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const KIB = 1024;
const assetsSchema = z.record(z.string(), z.object({ name: z.string(), type: z.string(), text: z.string() }));

describe("assets.json", () => {
  let assets: z.infer<typeof assetsSchema>;
  beforeAll(() => {
    assets = assetsSchema.parse(JSON.parse(storedAssets(root)));
  });

  test("is what its sources make; `npm run assets` writes it", async () => {
    expect(storedAssets(root) === (await assetsText(root))).toBe(true);
  });

  test("holds less than 90 kB of script, gzipped, for all pages together, and names everything by its hash", () => {
    const scripts = Object.values(assets).filter(({ type }) => type.startsWith("text/javascript"));
    const bytes = scripts.reduce((sum, { text }) => sum + gzipSync(text).length, 0);
    expect(scripts.length).toBeGreaterThan(2);
    expect(bytes).toBeLessThan(90_000);
    for (const { name } of Object.values(assets)) expect(name).toMatch(/^[a-z-]+\.[\w-]{12}\.(js|css)$/);
  });

  test("loads nothing from elsewhere", () => {
    for (const { name, text } of Object.values(assets))
      expect(text.match(/(?:https?:)?\/\/[a-z0-9.-]+\.[a-z]{2,}\/|url\(|@import/gi), name).toBeNull();
  });
});

describe("the deployed script", () => {
  test("is at most 1.5 MB gzipped", async () => {
    const result = await build({
      entryPoints: ["workers/index.ts"],
      absWorkingDir: root,
      bundle: true,
      minify: true,
      write: false,
      format: "esm",
      target: "es2024",
      platform: "neutral",
      mainFields: ["module", "main"],
      conditions: ["workerd", "worker", "browser"],
      external: ["cloudflare:*", "node:*"],
      logLevel: "silent",
    });
    const bytes = gzipSync(result.outputFiles[0]?.text ?? "", { level: 9 }).length;
    expect(bytes).toBeGreaterThan(200 * KIB);
    expect(bytes).toBeLessThan(1_500_000);
  });
});
