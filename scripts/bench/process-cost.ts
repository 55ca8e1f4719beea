/** What a process and its children have used: CPU from the kernel's clock ticks, memory as resident set. Linux by /proc, elsewhere by ps. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

export interface ProcessCost {
  cpuMilliseconds: number;
  residentBytes: number;
}

const TICK_MILLISECONDS = 10;
const PAGE_BYTES = 4096;

interface Stat {
  parent: number;
  cost: ProcessCost;
}

function statOf(pid: number): Stat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[11]) + Number(fields[12]);
    return {
      parent: Number(fields[1]),
      cost: { cpuMilliseconds: ticks * TICK_MILLISECONDS, residentBytes: Number(fields[21]) * PAGE_BYTES },
    };
  } catch {
    return null;
  }
}

/** The cost so far of one process, without its children. */
export function costOfProcess(pid: number): ProcessCost {
  if (process.platform === "linux") return statOf(pid)?.cost ?? { cpuMilliseconds: 0, residentBytes: 0 };
  const [time = "0:0", resident = "0"] = execFileSync("ps", ["-o", "time=,rss=", "-p", String(pid)], { encoding: "utf8" })
    .trim()
    .split(/\s+/);
  const seconds = time.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  return { cpuMilliseconds: seconds * 1000, residentBytes: Number(resident) * 1024 };
}

/** Children of a process, by their parent's id. Linux only; elsewhere none are found. */
export function childrenOf(pid: number): number[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .map(Number)
    .filter((candidate) => Number.isInteger(candidate) && statOf(candidate)?.parent === pid);
}
