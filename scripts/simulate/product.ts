/**
 * The code under simulation: the deployed sources themselves, bundled with the platform's globals led to the simulator (clock, timers,
 * console) and `cloudflare:workers` replaced by its bare base class. Nothing else is changed, but by a mutation where one is asked for.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, type Plugin, stop } from "esbuild";
import type { PriceSnapshot } from "../../schema/price.ts";
import type { Usage } from "../../schema/usage.ts";
import type { Finished, LedgerEnd } from "../../workers/engine/settle-request.ts";

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** What an object is given by the platform. */
export interface ObjectContext {
  id: { name: string };
  storage: object;
  waitUntil: (work: Promise<unknown>) => void;
  blockConcurrencyWhile: (work: () => Promise<unknown>) => Promise<unknown>;
}

export interface Batch {
  queue: string;
  messages: {
    id: string;
    timestamp: Date;
    attempts: number;
    body: unknown;
    ack: () => void;
    retry: (options?: { delaySeconds?: number }) => void;
  }[];
  ackAll: () => void;
  retryAll: () => void;
}

export interface Reconciled {
  gaps: { kind: string; seqs: number[]; detail: string }[];
  repaired: number;
}

/** The parts of the product that a run calls; everything else is reached through them. */
export interface Product {
  AccountDO: new (context: ObjectContext, env: object) => object;
  consumeUsage: (batch: Batch, env: object) => Promise<void>;
  consumeDead: (batch: Batch, env: object) => Promise<void>;
  replayDeadLetters: (env: object, now: number) => Promise<number>;
  reconcileAccount: (accountId: string, env: object) => Promise<Reconciled>;
  restoreAccount: (
    accountId: string,
    options: { force: boolean; now: number },
    env: object,
  ) => Promise<{ state: string; replayed: number; fault: unknown }>;
  ledgerEnd: (finished: Finished) => LedgerEnd;
  costOf: (snapshot: PriceSnapshot, usage: Usage) => { costMicroRub: bigint; providerCostPicoUsd: bigint; flagged: string | null };
  providerCostMicroRub: (providerCostPicoUsd: bigint, snapshot: PriceSnapshot) => bigint;
  splitByLargestRemainder: (total: bigint, weights: readonly bigint[]) => bigint[];
  RECOMPUTE_USAGE: string;
}

/** One change of one source file: a defect planted on purpose. */
export interface Mutation {
  file: string;
  from: string;
  to: string;
}

const ENTRY = `
export { AccountDO } from "./workers/durable/account.ts";
export { consumeUsage } from "./workers/queue/consume-usage.ts";
export { consumeDead, replayDeadLetters } from "./workers/queue/consume-dead.ts";
export { reconcileAccount } from "./workers/queue/reconcile.ts";
export { restoreAccount } from "./workers/queue/restore.ts";
export { ledgerEnd } from "./workers/engine/settle-request.ts";
export { costOf, providerCostMicroRub } from "./workers/cost/cost.ts";
export { splitByLargestRemainder } from "./workers/cost/split.ts";
export { RECOMPUTE_USAGE } from "./db/recompute.ts";
`;
const BASE_CLASS = "export class DurableObject { constructor(ctx, env) { this.ctx = ctx; this.env = env; } }";
/** Every ledger that is opened is shown to the run, which watches each of its steps. */
const OPENED = "return new Ledger(storage, ports);";

function sources(mutations: readonly Mutation[]): Plugin {
  const changes = [
    ...mutations,
    {
      file: "workers/durable/ledger-store.ts",
      from: OPENED,
      to: OPENED.replace("new Ledger(storage, ports)", "__sim.opened(new Ledger(storage, ports), storage)"),
    },
  ];
  return {
    name: "sources",
    setup(building) {
      building.onResolve({ filter: /^cloudflare:workers$/ }, () => ({ path: "workers", namespace: "platform" }));
      building.onLoad({ filter: /.*/, namespace: "platform" }, () => ({ contents: BASE_CLASS, loader: "js" }));
      for (const file of new Set(changes.map((change) => change.file))) {
        const escaped = file.replaceAll(/[.\\/]/g, String.raw`\$&`);
        building.onLoad({ filter: new RegExp(`${escaped}$`) }, ({ path }) => ({
          contents: changed(
            readFileSync(path, "utf8"),
            changes.filter((change) => change.file === file),
          ),
          loader: "ts",
        }));
      }
    },
  };
}

/** Why a defect cannot be planted in the sources as they are; null when it can. */
export function unplantable(mutations: readonly Mutation[]): string | null {
  for (const { file, from } of mutations) {
    if (readFileSync(join(ROOT, file), "utf8").split(from).length !== 2) return `${file} does not have this text exactly once: ${from}`;
  }
  return null;
}

function changed(text: string, changes: readonly Mutation[]): string {
  let result = text;
  for (const { file, from, to } of changes) {
    if (result.split(from).length !== 2) throw new Error(`${file} does not have this text exactly once: ${from}`);
    result = result.replace(from, () => to);
  }
  return result;
}

/** Bundles and loads the product, with these defects planted. The bundle stays in `target/simulate` for a look. */
export async function loadProduct(mutations: readonly Mutation[] = []): Promise<Product> {
  const result = await build({
    stdin: { contents: ENTRY, resolveDir: ROOT, sourcefile: "simulated.ts", loader: "ts" },
    absWorkingDir: ROOT,
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker", "browser"],
    external: ["node:*"],
    plugins: [sources(mutations)],
    define: {
      "Date.now": "__sim.now",
      "console.error": "__sim.log",
      setTimeout: "__sim.setTimeout",
      clearTimeout: "__sim.clearTimeout",
      setInterval: "__sim.setInterval",
      clearInterval: "__sim.clearInterval",
    },
    logLevel: "silent",
  });
  // esbuild keeps a process for the next build, which would outlive this program.
  await stop();
  const text = result.outputFiles[0]?.text ?? "";
  const folder = join(ROOT, "target/simulate");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${createHash("sha256").update(text).digest("hex").slice(0, 16)}.mjs`);
  writeFileSync(path, text);
  const product: Product = await import(/* @vite-ignore */ pathToFileURL(path).href);
  return product;
}
