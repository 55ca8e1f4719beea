/** `npm start` from outside: what a person, a supervisor and a SIGKILL see. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { parseWith } from "../../schema/json.ts";
import { processFacts } from "../../scripts/start/process.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const ownerSchema = z.looseObject({ workerd: z.array(z.looseObject({ pid: z.number() })) });
const started = new Set<ChildProcess>();
const stateDir = mkdtempSync(join(tmpdir(), "plyrum-start-"));
let port = 0;

interface Run {
  child: ChildProcess;
  /** Everything printed so far, both streams. */
  output: () => string;
  ended: Promise<number | null>;
}

function start(environment: Record<string, string> = {}, parameters: string[] = []): Run {
  // Provider credentials of the machine stay out: these runs play offline.
  const inherited = Object.entries(process.env).filter(([name]) => !/_API_KEY$|_BASE_URL$|^PLYRUM_(?!ENTRY|RECORDINGS)/.test(name));
  const child = spawn(process.execPath, ["scripts/start.ts", ...parameters], {
    cwd: root,
    env: { ...Object.fromEntries(inherited), PORT: String(port), STATE_DIR: stateDir, ...environment },
  });
  started.add(child);
  let output = "";
  child.stdout.on("data", (data: Buffer) => (output += data.toString()));
  child.stderr.on("data", (data: Buffer) => (output += data.toString()));
  const ended = once(child, "exit").then(() => (started.delete(child), child.exitCode));
  return { child, output: () => output, ended };
}

/** Resolves when the last line of a start, the curl line, is printed; throws when the program ends instead. */
async function untilStarted(run: Run): Promise<void> {
  let exited = false;
  void run.ended.then(() => (exited = true));
  while (!run.output().includes("curl -N")) {
    if (exited) throw new Error(`start ended: ${run.output()}`);
    await sleep(20);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

function workerdPid(): number {
  const owner = parseWith(ownerSchema, readFileSync(join(stateDir, "owner.json"), "utf8"));
  const pid = owner.ok ? owner.value.workerd[0]?.pid : undefined;
  if (pid === undefined) throw new Error("owner.json names no workerd");
  return pid;
}

const health = async (): Promise<number | null> => (await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => null))?.status ?? null;

beforeAll(async () => {
  port = await freePort();
});

afterAll(async () => {
  for (const child of started) child.kill("SIGTERM");
  await Promise.all([...started].map((child) => once(child, "exit")));
  rmSync(stateDir, { recursive: true, force: true });
});

describe("npm start", () => {
  let run: Run;
  let stray = 0;

  test("a first start prints both keys once, says that it plays offline, and keeps the keys to its owner", async () => {
    run = start();
    await untilStarted(run);
    expect(await health()).toBe(200);
    expect(run.output()).toMatch(/demo key +ply_test_\w{40,}/);
    expect(run.output()).toMatch(/admin key +ply_admin_\S{20,}/);
    expect(run.output()).toContain('"evidence": "offline"');
    expect(statSync(join(stateDir, "secrets.json")).mode & 0o777).toBe(0o600);
  });

  test("the printed curl line streams a completion when it is pasted into a shell", async () => {
    const line =
      run
        .output()
        .split("\n")
        .find((text) => text.startsWith("curl -N")) ?? "";
    const shell = spawn("sh", ["-c", `${line} -s`]);
    let streamed = "";
    shell.stdout.on("data", (data: Buffer) => (streamed += data.toString()));
    await once(shell, "close");
    expect(streamed).toMatch(/^data: \{/m);
    expect(streamed.trimEnd().endsWith("data: [DONE]")).toBe(true);
  });

  test("a second start on the same state is refused in one line", async () => {
    const second = start({ PORT: String(await freePort()) });
    expect(await second.ended).toBe(1);
    expect(second.output()).toMatch(/^plyrum: the state folder .* is in use by process \d+.*\n$/);
  });

  test("a start on a port in use is refused in one line", async () => {
    const other = mkdtempSync(join(tmpdir(), "plyrum-start-other-"));
    const second = start({ STATE_DIR: other });
    expect(await second.ended).toBe(1);
    expect(second.output()).toMatch(new RegExp(`^plyrum: port ${port} is in use.*\\n$`));
    rmSync(other, { recursive: true, force: true });
  });

  test("after a SIGKILL of the host the next start ends the stray workerd and serves the same state", async () => {
    stray = workerdPid();
    run.child.kill("SIGKILL");
    await run.ended;
    expect(processFacts(stray)).not.toBeNull();
    run = start();
    await untilStarted(run);
    expect(processFacts(stray)).toBeNull();
    expect(await health()).toBe(200);
  });

  test("a later start shows the keys by their ends only, and says which file keeps them", () => {
    expect(run.output()).toMatch(/demo key +ply_test_….{4} +\(kept in .*secrets\.json\)/);
    expect(run.output()).not.toMatch(/ply_admin_\S{20,}/);
  });

  test.each(["SIGTERM", "SIGINT"] as const)("%s ends everything it started, with code 0", async (signal) => {
    if (run.child.exitCode !== null) {
      run = start();
      await untilStarted(run);
    }
    const serving = workerdPid();
    run.child.kill(signal);
    expect(await run.ended).toBe(0);
    expect(processFacts(serving)).toBeNull();
    expect(await health()).toBeNull();
  });

  test("a config file that does not exist is named, and nothing is left running", async () => {
    const refused = start({}, ["--config", "/nowhere/plyrum.yaml"]);
    expect(await refused.ended).toBe(1);
    expect(refused.output()).toContain("plyrum: config file /nowhere/plyrum.yaml does not exist");
    expect(await health()).toBeNull();
  });

  test("a config file that is refused names the line, the field and what to do, and one that is no YAML its line", async () => {
    const file = join(stateDir, "refused.yaml");
    writeFileSync(file, 'version: v1\nmodel_providers:\n  - model: acme/*\n    base_url: "nowhere"\n');
    const refused = start({}, ["--config", file]);
    expect(await refused.ended).toBe(1);
    expect(refused.output()).toMatch(/refused\.yaml, line 4: model_providers\.0\.base_url: Invalid URL/);
    writeFileSync(file, "version: [v1\n");
    const broken = start({}, ["--config", file]);
    expect(await broken.ended).toBe(1);
    expect(broken.output()).toMatch(/refused\.yaml is no YAML: .* at line \d/);
  });
});
