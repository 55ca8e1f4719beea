/** The bodies conformance runs over: recordings when a folder of them is there (`PLYRUM_RECORDINGS`), else our own bodies. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { parseWith } from "../../schema/json.ts";
import { PROTOCOL_IDS, protocolIdSchema, type ProtocolId } from "../../schema/protocol.ts";
import { body, bodyNames } from "./bodies.ts";
import { framed } from "./frames.ts";
import { READINGS } from "./readings/index.ts";

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

/** Names of the index that are not ours. */
const INDEX_NAMES: Readonly<Record<string, ProtocolId>> = { "cohere-v2-chat": "cohere-chat" };

const folder = process.env["PLYRUM_RECORDINGS"] ?? join(import.meta.dirname, "../../../shared/fixtures");

export const recordingsFolder = existsSync(join(folder, "index.jsonl")) ? folder : null;

/** A body that is kept as the payloads of its frames is given the frames they came in. */
function bytesOf(name: string, content: Buffer): Buffer {
  return /\.(chunks|frames)\.jsonl$/.test(name) ? framed(content.toString()) : content;
}

function recorded(root: string): Recording[] {
  return readFileSync(join(root, "index.jsonl"), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .flatMap((line) => {
      const row = parseWith(rowSchema, line);
      if (!row.ok) throw new Error(`index.jsonl: ${row.message}`);
      const protocol = protocolIdSchema.safeParse(INDEX_NAMES[row.value.protocol] ?? row.value.protocol);
      if (!protocol.success || !(protocol.data in READINGS)) return [];
      const { file, provider, stream, status, transport_chunk_lengths: lengths } = row.value;
      return [
        {
          name: file,
          protocol: protocol.data,
          provider,
          stream,
          status,
          bytes: bytesOf(file, readFileSync(join(root, file))),
          chunkLengths: lengths ?? null,
        },
      ];
    });
}

function own(): Recording[] {
  return PROTOCOL_IDS.filter((protocol) => protocol in READINGS).flatMap((protocol) =>
    [".sse", ".ndjson", ".bin", ".frames.jsonl", ".json"].flatMap((ending) =>
      bodyNames(protocol, ending).map((name) => ({
        name: `${protocol}/${name}`,
        protocol,
        provider: "own",
        stream: ending !== ".json",
        status: Number(/^ERR(\d{3})/.exec(name)?.[1] ?? 200),
        bytes: bytesOf(name, body(protocol, name)),
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
