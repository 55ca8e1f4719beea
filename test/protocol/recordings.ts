/** The bodies conformance runs over: recordings when a folder of them is there (`PLYRUM_RECORDINGS`), else our own bodies. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { parseWith } from "../../schema/json.ts";
import { PROTOCOL_IDS, protocolIdSchema, type ProtocolId } from "../../schema/protocol.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import { body, bodyNames } from "./bodies.ts";

export interface Recording {
  name: string;
  protocol: ProtocolId;
  provider: string;
  stream: boolean;
  status: number;
  bytes: Buffer;
  /** Sizes of the network chunks it came in; null where nobody noted them. */
  chunkLengths: number[] | null;
}

const rowSchema = z.looseObject({
  file: z.string(),
  protocol: z.string(),
  provider: z.string(),
  stream: z.boolean(),
  status: z.number(),
  transport_chunk_lengths: z.array(z.number()).nullish(),
});

const folder = process.env["PLYRUM_RECORDINGS"] ?? join(import.meta.dirname, "../../../shared/fixtures");

export const recordingsFolder = existsSync(join(folder, "index.jsonl")) ? folder : null;

function recorded(root: string): Recording[] {
  return readFileSync(join(root, "index.jsonl"), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .flatMap((line) => {
      const row = parseWith(rowSchema, line);
      if (!row.ok) throw new Error(`index.jsonl: ${row.message}`);
      const protocol = protocolIdSchema.safeParse(row.value.protocol);
      if (!protocol.success || !(protocol.data in PROTOCOLS)) return [];
      const { file, provider, stream, status, transport_chunk_lengths: lengths } = row.value;
      return [
        {
          name: file,
          protocol: protocol.data,
          provider,
          stream,
          status,
          bytes: readFileSync(join(root, file)),
          chunkLengths: lengths ?? null,
        },
      ];
    });
}

function own(): Recording[] {
  return PROTOCOL_IDS.filter((protocol) => protocol in PROTOCOLS).flatMap((protocol) =>
    [".sse", ".json"].flatMap((ending) =>
      bodyNames(protocol, ending).map((name) => ({
        name: `${protocol}/${name}`,
        protocol,
        provider: "own",
        stream: ending === ".sse",
        status: 200,
        bytes: body(protocol, name),
        chunkLengths: null,
      })),
    ),
  );
}

export const recordings: readonly Recording[] = recordingsFolder === null ? own() : [...recorded(recordingsFolder), ...own()];

/** A small generator with a seed, so that "random" places are the same in every run. */
export function seededPlaces(seed: number, count: number, bound: number): number[] {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % (bound + 1);
  });
}
