/** `plyrum.yaml`: read, put to `/admin/config`, and put again whenever the file changes. The worker validates it. */
import { existsSync, readFileSync, unwatchFile, watchFile } from "node:fs";
import { isNode, LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { StartRefusal } from "./refusal.ts";

const WATCH_MILLISECONDS = 500;

export interface ConfigTarget {
  url: string;
  adminKey: string;
  /** Told about each change that was applied or refused after the first. */
  report: (line: string) => void;
}

/** Applies `path` and watches it. Throws when the file of the start is missing, is no YAML, or is refused. Returns how to stop. */
export async function followConfigFile(path: string, target: ConfigTarget): Promise<() => void> {
  await applyConfigFile(path, target);
  const onChange = (): void => {
    applyConfigFile(path, target).then(
      () => target.report(`config: ${path} applied`),
      // A person is editing the file: the last good configuration stays in force.
      (error: unknown) =>
        target.report(`config: ${error instanceof Error ? error.message : String(error)}; the earlier one stays in force`),
    );
  };
  watchFile(path, { interval: WATCH_MILLISECONDS, persistent: false }, (now, before) => {
    if (now.mtimeMs !== before.mtimeMs && now.mtimeMs !== 0) onChange();
  });
  return () => unwatchFile(path);
}

/** The refusal and the warnings of `PUT /admin/config`, as far as they are told to a person. */
const refusalSchema = z.object({
  error: z.object({
    message: z.string(),
    param: z.string().nullable(),
    details: z.looseObject({ suggestion: z.string().nullish() }).nullish(),
  }),
});
const appliedSchema = z.object({ warnings: z.array(z.string()) });

async function applyConfigFile(path: string, target: ConfigTarget): Promise<void> {
  if (!existsSync(path)) throw new StartRefusal(`config file ${path} does not exist`);
  const file = readYaml(path);
  const response = await fetch(`${target.url}/admin/config`, {
    method: "PUT",
    headers: { authorization: `Bearer ${target.adminKey}`, "content-type": "application/json" },
    body: JSON.stringify(file.value),
  });
  const text = await response.text();
  if (!response.ok) throw new StartRefusal(refusalOf(path, file, text));
  for (const warning of appliedSchema.parse(JSON.parse(text)).warnings) target.report(`config: ${path}: ${warning}`);
}

/** What is wrong, where it stands in the file, and what to do. */
function refusalOf(path: string, file: ReadFile, text: string): string {
  const parsed = refusalSchema.safeParse(JSON.parse(text));
  if (!parsed.success) return `config file ${path} is refused: ${text}`;
  const { message, param, details } = parsed.data.error;
  const line = param === null ? null : file.lineOf(param.split("."));
  const suggestion = details?.suggestion ?? null;
  return `config file ${path}${line === null ? "" : `, line ${line}`}${param === null ? "" : `: ${param}`}: ${message}${suggestion === null ? "" : ` ${suggestion}`}`;
}

interface ReadFile {
  value: unknown;
  /** The line of the member that a path names, or of the nearest one around it; null where nothing of it is in the file. */
  lineOf: (path: readonly string[]) => number | null;
}

function readYaml(path: string): ReadFile {
  const lines = new LineCounter();
  const document = parseDocument(readFileSync(path, "utf8"), { lineCounter: lines });
  const [fault] = document.errors;
  if (fault !== undefined) throw new StartRefusal(`config file ${path} is no YAML: ${fault.message}`, { cause: fault });
  const lineOf = (wanted: readonly string[]): number | null => {
    for (let length = wanted.length; length > 0; length--) {
      const keys = wanted.slice(0, length).map((key) => (/^\d+$/.test(key) ? Number(key) : key));
      const node = document.getIn(keys, true);
      if (isNode(node) && node.range !== null && node.range !== undefined) return lines.linePos(node.range[0]).line;
    }
    return null;
  };
  return { value: document.toJS() as unknown, lineOf };
}
