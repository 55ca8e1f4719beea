/**
 * Who owns a state folder. A SIGKILL of the Node host leaves its workerd child alive, with the port and the databases open; the next
 * start must end that child, and only that one, before it opens the same files. `owner.json` says which processes to look at.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { parseWith } from "../../schema/json.ts";
import { childrenOf, type ProcessFacts, processFacts } from "./process.ts";
import { StartRefusal } from "./refusal.ts";

const processSchema = z.strictObject({ pid: z.number().int().positive(), started_at: z.string() });
const ownerSchema = z.strictObject({ host: processSchema, workerd: z.array(processSchema) });
type Owner = z.infer<typeof ownerSchema>;

const STRAY_END_MILLISECONDS = 5_000;
const POLL_MILLISECONDS = 20;
/** How soon a child that replaced a crashed one is written down. */
const WATCH_MILLISECONDS = 1_000;

export interface Ownership {
  /** The workerd child that serves now. Systems of one process must be started one after the other for this to be told apart. */
  workerdPid(): number | null;
  release(): void;
}

/** Takes `stateDir` for this process, ending what a killed owner left behind. Throws `StartRefusal` when its owner is alive. */
export async function takeOwnership(stateDir: string): Promise<Ownership> {
  const path = join(stateDir, "owner.json");
  const earlier = readOwner(path);
  if (earlier !== null) await endStrays(earlier, stateDir);
  const host = { pid: process.pid, started_at: processFacts(process.pid)?.startedAt ?? "" };
  // Other systems of this process (tests start several) have children too; those running before this one are not ours.
  const before = new Set(workerdChildren().map((child) => child.pid));
  const ours = (): ProcessFacts[] => workerdChildren().filter((child) => !before.has(child.pid));
  let written = "";
  const write = (): void => {
    const owner: Owner = { host, workerd: ours().map((child) => ({ pid: child.pid, started_at: child.startedAt })) };
    const text = JSON.stringify(owner);
    if (text === written) return;
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
    written = text;
  };
  write();
  // The child is found by looking: Miniflare does not tell its number, and restarts it after a crash.
  let timer = setInterval(write, POLL_MILLISECONDS).unref();
  return {
    workerdPid: () => {
      write();
      clearInterval(timer);
      timer = setInterval(write, WATCH_MILLISECONDS).unref();
      return ours().at(-1)?.pid ?? null;
    },
    release: () => {
      clearInterval(timer);
      rmSync(path, { force: true });
    },
  };
}

function readOwner(path: string): Owner | null {
  try {
    const parsed = parseWith(ownerSchema, readFileSync(path, "utf8"));
    return parsed.ok ? parsed.value : null;
  } catch {
    return null;
  }
}

function workerdChildren(): ProcessFacts[] {
  return childrenOf(process.pid).filter(isWorkerd);
}

function isWorkerd(facts: ProcessFacts): boolean {
  return /workerd(\.exe)?\s+serve\b/.test(facts.command);
}

function isRunning(recorded: { pid: number; started_at: string }): ProcessFacts | null {
  const facts = processFacts(recorded.pid);
  return facts !== null && facts.startedAt === recorded.started_at ? facts : null;
}

async function endStrays(owner: Owner, stateDir: string): Promise<void> {
  if (isRunning(owner.host) !== null) {
    throw new StartRefusal(`the state folder ${stateDir} is in use by process ${owner.host.pid}; stop it, or set STATE_DIR`);
  }
  const strays = owner.workerd.filter((recorded) => {
    const facts = isRunning(recorded);
    return facts !== null && isWorkerd(facts);
  });
  for (const stray of strays) process.kill(stray.pid, "SIGKILL");
  const deadline = Date.now() + STRAY_END_MILLISECONDS;
  // A dying process has no command line any more, so from here on its number and start time alone tell that it is still there.
  while (strays.some((stray) => isRunning(stray) !== null)) {
    if (Date.now() > deadline) throw new StartRefusal(`process ${strays[0]?.pid} of an earlier start does not end`);
    await sleep(POLL_MILLISECONDS);
  }
}
