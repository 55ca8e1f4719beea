/**
 * The whole system in one call: real workerd with the bindings of wrangler.toml, served on a socket of its own, with state that
 * survives. `npm start`, the system tests and the benchmark all start it here, so what they see is the same thing.
 */
import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { convertV4MiniflareOptions, Miniflare, MiniflareCoreError, type V4SharedOptions, type V4WorkerOptions } from "miniflare";
import { unstable_getMiniflareWorkerOptions as readWorkerOptions } from "wrangler";
import { z } from "zod";
import { bundleWorker, DIRECT_ENTRYPOINT } from "./bundle.ts";
import { followConfigFile } from "./config-file.ts";
import { type Environment, readEnvironment, textBindings } from "./environment.ts";
import { applyMigrations } from "./migrations.ts";
import { namesProvider, type OfflineStand, startOffline } from "./offline.ts";
import { type Ownership, takeOwnership } from "./owner.ts";
import { StartRefusal } from "./refusal.ts";
import { readSecrets, type Secrets } from "./secrets.ts";

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const WORKER_NAME = "plyrum";
/** As Miniflare's own way out: any address, with the authorities that browsers trust. */
const NETWORK = { allow: ["public", "private", "240.0.0.0/4"], deny: [], tlsOptions: { trustBrowserCas: true, trustedCertificates: [] } };
const HEALTHY_MILLISECONDS = 10_000;
/** For addresses that callers name: whatever a name resolves to is checked when the connection is made. */
const PUBLIC_NETWORK = { ...NETWORK, allow: ["public"] };
/** The local runtime has no clock for cron triggers; every one in wrangler.toml runs at this pace here. */
const CRON_MILLISECONDS = 5 * 60_000;
const HEALTH_POLL_MILLISECONDS = 25;

const databasesSchema = z.record(z.string(), z.object({ id: z.string() }));
const cronsSchema = z.array(z.string());

export interface SystemOptions {
  /** 0 chooses a free one. */
  port?: number;
  /** Everything the system keeps: secrets, objects, D1, R2. Created when missing. */
  stateDir: string;
  /** In place of the process environment and `.dev.vars`. */
  environment?: Environment;
  /** The worker's entry file; wrangler.toml's `main` by default. */
  entry?: string;
  /** A `plyrum.yaml` to apply and to follow. */
  configFile?: string | null;
  /** Lines about what happens while it runs (configuration changes). Silent by default. */
  report?: (line: string) => void;
  /** False: the worker's own console lines are dropped. */
  workerLog?: boolean;
}

export interface System {
  url: string;
  port: number;
  secrets: Secrets;
  demoKey: string;
  adminKey: string;
  /** Address of the offline provider this system started; null when real providers are named. */
  offlineUrl: string | null;
  workerdPid: number | null;
  /** Ends everything this call started, and waits until it has ended. Calling it twice is harmless. */
  close(): Promise<void>;
}

/** Starts the system; it answers on `/healthz` and has its demo account when this resolves. Ends what it started when it throws. */
export async function startSystem(options: SystemOptions): Promise<System> {
  const environment = options.environment ?? readEnvironment(ROOT);
  const stateDir = resolve(options.stateDir);
  mkdirSync(stateDir, { recursive: true });
  const ending: (() => void | Promise<void>)[] = [];
  let closed: Promise<void> | null = null;
  const close = (): Promise<void> => (closed ??= endAll(ending));
  try {
    const owner = await takeOwnership(stateDir);
    ending.push(() => owner.release());
    await assertPortFree(options.port ?? 0);
    const secrets = readSecrets(stateDir, environment);
    const offline = namesProvider(environment) ? null : await startOffline(environment);
    if (offline !== null) ending.push(() => offline.close());
    const bindings = systemBindings(environment, secrets, offline);
    const url = await serve({ options, stateDir, bindings, ending });
    return await finishStart({ options, url, secrets, offline, owner, close, ending });
  } catch (error) {
    await close();
    throw error;
  }
}

function systemBindings(environment: Environment, secrets: Secrets, offline: OfflineStand | null): Record<string, string> {
  return {
    PLYRUM_EVIDENCE: "live",
    ...textBindings(environment),
    ...offline?.bindings,
    PLYRUM_KEY_SECRET: secrets.keySecret,
    PLYRUM_ADMIN_KEY: secrets.adminKey,
    PLYRUM_DEMO_KEY: secrets.demoKey,
  };
}

interface ServeFacts {
  options: SystemOptions;
  stateDir: string;
  bindings: Record<string, string>;
  ending: (() => void | Promise<void>)[];
}

/** Migrates the database, then opens the port; returns the address. */
async function serve({ options, stateDir, bindings, ending }: ServeFacts): Promise<string> {
  const { workerOptions, main } = readWorkerOptions(join(ROOT, "wrangler.toml"));
  const contents = await bundleWorker(options.entry ?? resolve(ROOT, main ?? "workers/index.ts"), ROOT);
  const open = (worker: V4WorkerOptions): Miniflare => {
    const shared: V4SharedOptions = {
      host: "127.0.0.1",
      port: 0,
      resourcePersistencePath: join(stateDir, "resources"),
      // Miniflare would ask the network for a sample of `request.cf`, and report its use.
      cf: false,
      telemetry: { enabled: false },
    };
    if (options.workerLog === false) shared.handleStructuredLogs = () => {};
    return new Miniflare(convertV4MiniflareOptions({ ...shared, workers: [worker] }));
  };
  // The tables must stand before the first request, so an empty worker with the same database is opened, migrated and closed first.
  const d1Databases = databasesSchema.parse(workerOptions["d1Databases"]);
  const migrating = open({ name: WORKER_NAME, modules: true, script: "export default {}", d1Databases });
  try {
    // Further databases of usage rows (schema/shard.ts) have the same tables.
    for (const binding of Object.keys(d1Databases)) await applyMigrations(migrating, binding, join(ROOT, "db/migrations"));
  } finally {
    await migrating.dispose();
  }
  const miniflare = open({
    ...workerOptions,
    name: WORKER_NAME,
    // Otherwise every outgoing call passes through one more worker, which takes a header off that no caller of a local socket sends.
    stripCfConnectingIp: false,
    modules: [{ type: "ESModule", path: join(ROOT, "index.js"), contents }],
    bindings,
    serviceBindings: {
      UPSTREAM: { network: NETWORK },
      // Without real providers, pictures may come from this machine, where the tests have theirs.
      MEDIA_NETWORK: { network: bindings["PLYRUM_EVIDENCE"] === "offline" ? NETWORK : PUBLIC_NETWORK },
    },
    unsafeDirectSockets: [{ host: "127.0.0.1", port: options.port ?? 0, entrypoint: DIRECT_ENTRYPOINT }],
  });
  ending.push(() => miniflare.dispose());
  try {
    await miniflare.ready;
  } catch (error) {
    if (error instanceof MiniflareCoreError && error.code === "ERR_ADDRESS_IN_USE") throw portInUse(options.port ?? 0);
    throw error;
  }
  const crons = cronsSchema.parse(workerOptions["cronTriggers"] ?? []);
  const timer = setInterval(() => void runCrons(miniflare, crons), CRON_MILLISECONDS).unref();
  ending.push(() => clearInterval(timer));
  return (await miniflare.unsafeGetDirectURL(WORKER_NAME, DIRECT_ENTRYPOINT)).origin;
}

async function runCrons(miniflare: Miniflare, crons: string[]): Promise<void> {
  try {
    const worker = await miniflare.getWorker();
    for (const cron of crons) await worker.scheduled({ cron });
  } catch {
    // The system is ending, or the worker has already said what went wrong; the next run tries again.
  }
}

interface StartedFacts {
  options: SystemOptions;
  url: string;
  secrets: Secrets;
  offline: OfflineStand | null;
  owner: Ownership;
  close: () => Promise<void>;
  ending: (() => void | Promise<void>)[];
}

/** From an open port to a system one can use: healthy, with its demo account and its configuration. */
async function finishStart({ options, url, secrets, offline, owner, close, ending }: StartedFacts): Promise<System> {
  await untilHealthy(url);
  const demo = await fetch(`${url}/admin/demo`, { method: "POST", headers: { authorization: `Bearer ${secrets.adminKey}` } });
  if (!demo.ok) throw new Error(`the demo account could not be made (${demo.status}): ${await demo.text()}`);
  await demo.body?.cancel();
  if (options.configFile !== undefined && options.configFile !== null) {
    const target = { url, adminKey: secrets.adminKey, report: options.report ?? (() => {}) };
    ending.push(await followConfigFile(options.configFile, target));
  }
  return {
    url,
    port: Number(new URL(url).port),
    secrets,
    demoKey: secrets.demoKey,
    adminKey: secrets.adminKey,
    offlineUrl: offline?.url ?? null,
    workerdPid: owner.workerdPid(),
    close,
  };
}

/** Last started, first ended; one failure does not keep the others from ending. */
async function endAll(ending: (() => void | Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const end of ending.toReversed()) {
    try {
      await end();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, "not everything ended");
}

async function untilHealthy(url: string): Promise<void> {
  const deadline = Date.now() + HEALTHY_MILLISECONDS;
  for (;;) {
    const response = await fetch(`${url}/healthz`).catch(() => null);
    const text = (await response?.text()) ?? "no answer";
    if (response?.status === 200) return;
    if (Date.now() > deadline) throw new Error(`the system is not healthy (${response?.status ?? "refused"}): ${text}`);
    await sleep(HEALTH_POLL_MILLISECONDS);
  }
}

function portInUse(port: number): StartRefusal {
  return new StartRefusal(`port ${port} is in use by another program; stop it, or set PORT to another one`);
}

/** Asks before the state is opened, so that the usual mistake (started twice) costs nothing and says so plainly. */
function assertPortFree(port: number): Promise<void> {
  return new Promise((resolvePromise, reject) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => reject(error.code === "EADDRINUSE" ? portInUse(port) : error));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolvePromise()));
  });
}
