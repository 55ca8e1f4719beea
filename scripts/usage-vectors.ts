/**
 * Writes test/vectors/usage.json: the usage of every answer in test/bodies in six classes of tokens, for any language to check a reader
 * against. `npm run usage-vectors` writes the file again, after a body was added or changed.
 *
 * The figures come from scripts/usage-vectors/reading.ts, which shares no code with workers/. Recorded bodies are read the same way by
 * test/protocol/usage-vectors.test.ts, at test time: they are not ours to keep here.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { framed } from "../test/protocol/frames.ts";
import { type SixClasses, usageOf } from "./usage-vectors/reading.ts";

const TEST = join(import.meta.dirname, "../test");

export interface UsageVector {
  /** Folder and name below test/bodies; the folder is the wire format. */
  body: string;
  stream: boolean;
  usage: SixClasses;
}

/** Bodies of refusals: answers with a status of their own, which have no usage. */
const REFUSAL = /^ERR[45]\d\d/;

export function usageVectors(): UsageVector[] {
  const bodies = join(TEST, "bodies");
  return readdirSync(bodies, { withFileTypes: true })
    .filter((folder) => folder.isDirectory())
    .flatMap(({ name: protocol }) =>
      readdirSync(join(bodies, protocol))
        .filter((name) => !REFUSAL.test(name))
        .map((name) => {
          const content = readFileSync(join(bodies, protocol, name));
          const bytes = name.endsWith(".frames.jsonl") ? framed(content.toString()) : content;
          const stream = !name.endsWith(".json");
          return { body: `${protocol}/${name}`, stream, usage: usageOf({ protocol, provider: "own", stream, bytes }) };
        }),
    )
    .toSorted((one, other) => (one.body < other.body ? -1 : 1));
}

const ABOUT =
  "Tokens of each answer in test/bodies, read from its raw bytes by the rules of the providers: input leaves cache reads and writes out, output includes reasoning, null is what nobody reported; in a stream a later figure replaces an earlier one, class by class.";

/** The file's text. */
export function usageVectorsText(): string {
  const lines = usageVectors().map((vector) => `    ${JSON.stringify(vector)}`);
  return `{\n  "about": ${JSON.stringify(ABOUT)},\n  "vectors": [\n${lines.join(",\n")}\n  ]\n}\n`;
}

if (process.argv[1] === import.meta.filename) writeFileSync(join(TEST, "vectors/usage.json"), usageVectorsText());
