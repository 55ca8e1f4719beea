/** `npm start`: the whole system on one port, from an empty state, without any account or key. Ctrl-C ends all of it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeAssets } from "./start/assets.ts";
import { isSet, readEnvironment } from "./start/environment.ts";
import { withTestPayments } from "./start/test-payments.ts";
import { StartRefusal } from "./start/refusal.ts";
import { signInLinks } from "./start/sign-in-links.ts";
import type { Secrets } from "./start/secrets.ts";
import { ROOT, startSystem, type System } from "./start/system.ts";

const PORT_DEFAULT = 8787;

const environment = readEnvironment(ROOT);

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function complain(line: string): void {
  process.stderr.write(`plyrum: ${line}\n`);
}

function wantedPort(): number {
  const text = environment["PORT"];
  const port = isSet(text) ? Number(text) : PORT_DEFAULT;
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new StartRefusal(`PORT is "${text}", not a port number`);
  return port;
}

function configFile(): string | null {
  const { values } = parseArgs({ options: { config: { type: "string" } } });
  if (values.config !== undefined) return values.config;
  const usual = join(ROOT, "plyrum.yaml");
  return existsSync(usual) ? usual : null;
}

/** Shows a key that was made just now or set by the person; an old one only by its ends, with the file that keeps it. */
function shownKey(secrets: Secrets, variable: string, key: string): string {
  if (isSet(environment[variable])) return `${key}  (from ${variable})`;
  return secrets.fresh ? key : `${key.slice(0, 9)}…${key.slice(-4)}  (kept in ${secrets.path})`;
}

async function announce(system: System): Promise<void> {
  const { url, secrets, offlineUrl } = system;
  const links = await signInLinks(system);
  if (offlineUrl !== null) {
    say(`No provider credential is set: the offline provider at ${offlineUrl} plays every model; figures say "evidence": "offline".`);
  }
  const shown = secrets.fresh || isSet(environment["PLYRUM_DEMO_KEY"]);
  const bearer = shown ? secrets.demoKey : `$(sed -n 's/.*"demo_key": "\\(.*\\)".*/\\1/p' '${secrets.path}')`;
  say("");
  say(`Plyrum listens on  ${url}`);
  say(`demo key           ${shownKey(secrets, "PLYRUM_DEMO_KEY", secrets.demoKey)}`);
  say(`admin key          ${shownKey(secrets, "PLYRUM_ADMIN_KEY", secrets.adminKey)}`);
  say(`dashboard          ${url}/sign-in`);
  if (links.demo !== null) say(`  as demo owner    ${links.demo}`);
  if (links.firstOwner !== null) say(`  make it yours    ${links.firstOwner}`);
  if (secrets.fresh) say(`Generated keys are printed this once; they stay in ${secrets.path}.`);
  say("");
  say(
    `curl -N ${url}/v1/chat/completions -H "authorization: Bearer ${bearer}" -H "content-type: application/json" ` +
      `-d '{"model":"openai/gpt-5-mini","stream":true,"messages":[{"role":"user","content":"Hello"}]}'`,
  );
}

/** One signal ends the start as well as the run; a second one while ending changes nothing. */
async function main(): Promise<void> {
  let ending = false;
  let system: System | null = null;
  const stop = (): void => {
    if (ending) return;
    ending = true;
    if (system !== null) void system.close().then(() => process.exit(0), fail);
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, stop);
  const file = configFile();
  await writeAssets(ROOT);
  system = await startSystem({
    port: wantedPort(),
    stateDir: isSet(environment["STATE_DIR"]) ? environment["STATE_DIR"] : join(ROOT, ".wrangler/state"),
    environment: withTestPayments(environment),
    configFile: file,
    report: say,
    ...(isSet(environment["PLYRUM_ENTRY"]) ? { entry: environment["PLYRUM_ENTRY"] } : {}),
  });
  // Miniflare's own listener would end this process before the rest has ended.
  for (const signal of signals) process.removeAllListeners(signal).on(signal, stop);
  if (ending) {
    await system.close();
    process.exit(0);
  }
  await announce(system);
}

function fail(error: unknown): never {
  const expected = error instanceof StartRefusal;
  complain(error instanceof Error ? (expected ? error.message : (error.stack ?? error.message)) : String(error));
  process.exit(1);
}

main().catch(fail);
