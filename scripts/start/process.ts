/** Facts about processes of this machine: from /proc where there is one, from `ps` elsewhere. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";

export interface ProcessFacts {
  pid: number;
  parentPid: number;
  /** Distinguishes two processes that were given the same number at different times; the text has no other meaning. */
  startedAt: string;
  command: string;
}

const hasProc = existsSync("/proc/self/stat");

/** Null when no such process runs; one that has ended and only waits to be reaped does not run. */
export function processFacts(pid: number): ProcessFacts | null {
  return hasProc ? factsFromProc(pid) : (factsFromPs(["-p", String(pid)]).find((facts) => facts.pid === pid) ?? null);
}

/** The running children of `parentPid`. */
export function childrenOf(parentPid: number): ProcessFacts[] {
  if (!hasProc) return factsFromPs(["-A"]).filter((facts) => facts.parentPid === parentPid);
  const children = readFileSync(`/proc/${parentPid}/task/${parentPid}/children`, "utf8").split(" ").filter(Boolean);
  return children.map((pid) => factsFromProc(Number(pid))).filter((facts) => facts !== null);
}

function factsFromProc(pid: number): ProcessFacts | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name is in brackets and may hold spaces and brackets itself; the numbered fields start after the last one.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, parentPid] = fields;
    const startedAt = fields[19];
    if (parentPid === undefined || startedAt === undefined) return null;
    // The first thread of a killed process is a zombie while others still close its sockets and files: it has ended with the last one.
    if (state === "X" || (state === "Z" && readdirSync(`/proc/${pid}/task`).length <= 1)) return null;
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    return { pid, parentPid: Number(parentPid), startedAt, command };
  } catch {
    return null;
  }
}

function factsFromPs(selection: string[]): ProcessFacts[] {
  try {
    const lines = execFileSync("ps", [...selection, "-o", "pid=,ppid=,lstart=,command="], { encoding: "utf8" }).split("\n");
    return lines.flatMap((line) => {
      const match = /^\s*(\d+)\s+(\d+)\s+(\S+\s+\S+\s+\d+\s+\S+\s+\d+)\s+(.*)$/.exec(line);
      const [, pid, parentPid, startedAt, command] = match ?? [];
      if (pid === undefined || parentPid === undefined || startedAt === undefined || command === undefined) return [];
      return [{ pid: Number(pid), parentPid: Number(parentPid), startedAt, command }];
    });
  } catch {
    return [];
  }
}
