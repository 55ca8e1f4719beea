/** Saved runs: each once failed, in the product or with a planted defect, and is run by `npm test` for ever after. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { parseWith } from "../../schema/json.ts";
import { runSchema } from "./operations.ts";
import { ROOT } from "./product.ts";

const savedSchema = z.strictObject({ name: z.string(), found: z.string(), run: runSchema });
export type SavedRun = z.infer<typeof savedSchema>;

export const CORPUS = join(ROOT, "test/simulate/corpus");

/** One operation a line, so that a difference between two runs can be read. Gives the path. */
export function saveRun(saved: SavedRun): string {
  const name = saved.name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 80);
  const path = join(CORPUS, `${name}.json`);
  const operations = saved.run.operations.map((operation) => `      ${JSON.stringify(operation)}`).join(",\n");
  const head = `{\n  "name": ${JSON.stringify(saved.name)},\n  "found": ${JSON.stringify(saved.found)},\n  "run": {\n    "setting": `;
  mkdirSync(CORPUS, { recursive: true });
  writeFileSync(path, `${head}${JSON.stringify(saved.run.setting)},\n    "operations": [\n${operations}\n    ]\n  }\n}\n`);
  return path;
}

export function readCorpus(path: string): SavedRun {
  const saved = parseWith(savedSchema, readFileSync(path, "utf8"));
  if (!saved.ok) throw new Error(`${path} is no saved run: ${saved.message} at ${saved.path ?? "the root"}`);
  return saved.value;
}

/** Paths of all saved runs. */
export function corpus(): string[] {
  return readdirSync(CORPUS)
    .filter((name) => name.endsWith(".json"))
    .toSorted()
    .map((name) => join(CORPUS, name));
}
