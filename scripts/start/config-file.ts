/** `plyrum.yaml`: read, put to `/admin/config`, and put again whenever the file changes. The worker validates it. */
import { existsSync, readFileSync, unwatchFile, watchFile } from "node:fs";
import { parse as parseYaml } from "yaml";
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

async function applyConfigFile(path: string, target: ConfigTarget): Promise<void> {
  if (!existsSync(path)) throw new StartRefusal(`config file ${path} does not exist`);
  const body = JSON.stringify(readYaml(path));
  const response = await fetch(`${target.url}/admin/config`, {
    method: "PUT",
    headers: { authorization: `Bearer ${target.adminKey}`, "content-type": "application/json" },
    body,
  });
  if (!response.ok) throw new StartRefusal(`config file ${path} is refused (${response.status}): ${await response.text()}`);
  await response.body?.cancel();
}

function readYaml(path: string): unknown {
  try {
    return parseYaml(readFileSync(path, "utf8")) as unknown;
  } catch (error) {
    throw new StartRefusal(`config file ${path} is no YAML: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
