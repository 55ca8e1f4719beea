/**
 * Three kinds of tests, told apart by folder:
 *
 * - `node`: the pure rooms and the tidy rules, in plain Node. Fast, and most of the tests.
 * - `workers`: real durable objects, queues and D1 inside workerd, with the bindings of wrangler.toml.
 * - `system`: the whole system as a child process, a system of its own for each file, two files at a time: much of a file is waiting.
 *
 * `npx vitest run --config scripts/config/vitest.config.ts --project node test/cost` runs one folder of one kind.
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { callOffline } from "./offline-upstream.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const migrationsFolder = join(root, "db/migrations");
/** Folders of tests that run inside workerd; scripts/config/tsconfig.workers-test.json names the same ones. */
const workersTests = ["durable", "queue", "http"].map((folder) => `test/${folder}/**/*.test.ts`);
const SIGN_IN_PACKAGES = [
  "better-auth/minimal",
  "better-auth/api",
  "better-auth/cookies",
  "better-auth/plugins/generic-oauth",
  "better-auth/plugins/two-factor",
  "@better-auth/core/db/adapter",
  "@better-auth/passkey",
];
const systemTests = ["test/system/**/*.test.ts"];

export default defineConfig({
  root,
  test: {
    projects: [
      {
        root,
        test: {
          name: "node",
          include: ["test/**/*.test.ts"],
          exclude: [...workersTests, ...systemTests],
          environment: "node",
          testTimeout: 30_000,
        },
      },
      {
        root,
        plugins: [
          cloudflareTest(async () => ({
            main: process.env["PLYRUM_ENTRY"] ?? "./workers/index.ts",
            wrangler: { configPath: join(root, "wrangler.toml") },
            miniflare: {
              // Whatever the worker calls outside is answered by the offline provider, on a real socket; no test reaches the network.
              outboundService: callOffline,
              // A further database for usage rows, which no shard map names until a test puts one.
              d1Databases: { USAGE_1: "usage-1" },
              bindings: {
                TEST_MIGRATIONS: existsSync(migrationsFolder) ? await readD1Migrations(migrationsFolder) : [],
                PLYRUM_ADMIN_KEY: "test-admin-key",
                PLYRUM_KEY_SECRET: "test-key-secret",
                PLYRUM_EVIDENCE: "offline",
                OPENAI_API_KEY: "test-openai-credential",
                OPENAI_BASE_URL: "http://offline.test/v1",
              },
            },
          })),
        ],
        test: {
          name: "workers",
          include: workersTests,
          globalSetup: [join(root, "scripts/config/offline-upstream.ts"), join(root, "scripts/config/simulated-ledgers.ts")],
          setupFiles: [join(root, "scripts/config/apply-migrations.ts")],
          testTimeout: 30_000,
          // Hundreds of small modules: one by one they take ten seconds of every file that opens a page.
          deps: { optimizer: { ssr: { enabled: true, include: SIGN_IN_PACKAGES, rolldownOptions: { external: [/^node:/] } } } },
        },
      },
      {
        root,
        test: {
          name: "system",
          include: systemTests,
          environment: "node",
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
    // Tests here share two cores with workerd; more workers only make each other late.
    maxWorkers: 2,
    reporters: ["default", join(root, "scripts/config/skip-reporter.ts")],
  },
});
