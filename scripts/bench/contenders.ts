/** Who is measured: the direct call, a bare pass-through on workerd, Plyrum with everything on, and Portkey's gateway on Node and on workerd. */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { childrenOf } from "./process-cost.ts";
import type { Target } from "./load.ts";
import { startSystem } from "../start/system.ts";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(dirname(HERE));
const PORTKEY = join(ROOT, "node_modules/@portkey-ai/gateway/build/start-server.js");
const READY_MILLISECONDS = 15_000;

export interface Contender {
  name: string;
  target: Target;
  /** The process whose CPU and memory count; null for the direct call. */
  pid: number | null;
  close: () => Promise<void>;
}

export interface Upstream {
  port: number;
  close: () => void;
}

/** Starts the upstream in a process of its own. */
export function startUpstream(): Promise<Upstream> {
  const child = fork(join(HERE, "upstream.ts"), { stdio: "ignore" });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("message", (message: unknown) => {
      const port = typeof message === "object" && message !== null && "port" in message ? Number(message.port) : 0;
      resolve({ port, close: () => void child.kill() });
    });
  });
}

export function direct(upstream: Upstream): Contender {
  return {
    name: "direct",
    target: { port: upstream.port, path: "/v1/chat/completions", headers: {} },
    pid: null,
    close: async () => undefined,
  };
}

async function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/** A module on workerd with nothing around it, on a socket of its own. */
async function onWorkerd(name: string, contents: string, headers: Record<string, string>): Promise<Contender> {
  const before = new Set(childrenOf(process.pid));
  const port = await freePort();
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      telemetry: { enabled: false },
      cf: false,
      workers: [
        {
          name: "contender",
          modules: [{ type: "ESModule", path: join(ROOT, "contender.js"), contents }],
          compatibilityDate: "2026-10-15",
          compatibilityFlags: ["nodejs_compat"],
          stripCfConnectingIp: false,
          unsafeDirectSockets: [{ host: "127.0.0.1", port }],
        },
      ],
    }),
  );
  await miniflare.ready;
  const pid = childrenOf(process.pid).find((candidate) => !before.has(candidate)) ?? null;
  return { name, target: { port, path: "/v1/chat/completions", headers }, pid, close: () => miniflare.dispose() };
}

export function bareWorkerd(upstream: Upstream): Promise<Contender> {
  const address = `http://127.0.0.1:${upstream.port}/v1/chat/completions`;
  const contents = `export default { async fetch(request) {
    return fetch(${JSON.stringify(address)}, { method: "POST", body: request.body, headers: { "content-type": "application/json" } });
  } }`;
  return onWorkerd("workerd pass-through", contents, {});
}

/** The whole of Plyrum: admission, ledger, lifecycle, queue, D1. */
export async function plyrum(upstream: Upstream): Promise<Contender> {
  const stateDir = mkdtempSync(join(tmpdir(), "plyrum-bench-"));
  const system = await startSystem({
    port: 0,
    stateDir,
    workerLog: false,
    environment: {
      OPENAI_API_KEY: "sk-bench",
      OPENAI_BASE_URL: `http://127.0.0.1:${upstream.port}/v1`,
    },
  });
  await fetch(`${system.url}/admin/accounts/demo/credits`, {
    method: "POST",
    headers: { authorization: `Bearer ${system.adminKey}`, "content-type": "application/json" },
    body: JSON.stringify({ amount_micro_rub: 1_000_000_000_000, reference: "bench" }),
  });
  return {
    name: "plyrum, everything on",
    target: { port: system.port, path: "/v1/chat/completions", headers: { authorization: `Bearer ${system.demoKey}` } },
    pid: system.workerdPid,
    close: async () => {
      await system.close();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

function portkeyHeaders(upstream: Upstream): Record<string, string> {
  return {
    authorization: "Bearer sk-bench",
    "x-portkey-provider": "openai",
    "x-portkey-custom-host": `http://127.0.0.1:${upstream.port}/v1`,
  };
}

export async function portkeyOnNode(upstream: Upstream): Promise<Contender> {
  const port = await freePort();
  const child: ChildProcess = spawn(process.execPath, [PORTKEY, `--port=${port}`, "--headless"], {
    stdio: "ignore",
    env: { ...process.env, NODE_ENV: "production", TRUSTED_CUSTOM_HOSTS: "127.0.0.1,localhost" },
  });
  const contender: Contender = {
    name: "Portkey on Node",
    target: { port, path: "/v1/chat/completions", headers: portkeyHeaders(upstream) },
    pid: child.pid ?? null,
    close: async () => void child.kill("SIGKILL"),
  };
  const deadline = Date.now() + READY_MILLISECONDS;
  while (Date.now() < deadline) {
    const up = await fetch(`http://127.0.0.1:${port}/`).catch(() => null);
    if (up !== null) return contender;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await contender.close();
  throw new Error("Portkey did not start on Node");
}

/**
 * Portkey's published file is built for Node. Its application object is taken out before the part that opens a port, and what only Node
 * has is left unfilled, since the measured routes do not touch it.
 */
export async function portkeyOnWorkerd(upstream: Upstream): Promise<Contender> {
  const source = readFileSync(PORTKEY, "utf8");
  const start = source.indexOf("const{injectWebSocket:");
  const application = /fetch:(\w+)\.fetch,port:/.exec(source)?.[1];
  if (start === -1 || application === undefined) throw new Error("Portkey's build has another shape than the one this benchmark knows");
  const built = await build({
    stdin: {
      contents: `${source
        .slice(0, start)
        .replace(/^#!.*\n/, "")
        .replaceAll("import.meta.url", '"file:///portkey.js"')
        .replaceAll(
          "process.argv",
          '["node", "portkey", "--headless"]',
        )};export default { fetch: (request, env, context) => ${application}.fetch(request, env, context) };`,
      resolveDir: dirname(PORTKEY),
      sourcefile: "portkey.js",
      loader: "js",
    },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "es2024",
    logLevel: "silent",
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire("/");' },
    external: ["node:*", "fs/promises", "path", "https", "ws", "ioredis", "@hono/node-server", "@hono/node-ws"],
    plugins: [
      {
        name: "node-only",
        setup(builder) {
          builder.onResolve({ filter: /^(@hono\/node-server|@hono\/node-ws|ws|ioredis)$/ }, (found) => ({
            path: found.path,
            namespace: "empty",
          }));
          builder.onLoad({ filter: /.*/, namespace: "empty" }, () => ({
            contents: "export default class {}; export const serve = null; export const createNodeWebSocket = null;",
          }));
        },
      },
    ],
  });
  return onWorkerd("Portkey on workerd", built.outputFiles[0]?.text ?? "", portkeyHeaders(upstream));
}
