/** Recorded bodies of a folder beside the project, replayed as they were: status, content type and, where known, network pieces. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve, sep } from "node:path";

export interface Recording {
  status: number;
  contentType: string;
  pieces: Buffer[];
}

const CONTENT_TYPES: Record<string, string> = {
  sse: "text/event-stream; charset=utf-8",
  json: "application/json",
  ndjson: "application/x-ndjson",
  bin: "application/vnd.amazon.eventstream",
};

interface IndexLine {
  file: string;
  status: number;
  format: string;
  transport_chunk_lengths?: number[] | null;
}

function isIndexLine(value: unknown): value is IndexLine {
  return (
    typeof value === "object" &&
    value !== null &&
    "file" in value &&
    typeof value.file === "string" &&
    "status" in value &&
    typeof value.status === "number"
  );
}

export class Recordings {
  readonly #folder: string | null;
  #index: Map<string, IndexLine> | null = null;

  /** `folder` null, or missing: there are none. */
  constructor(folder: string | null) {
    this.#folder = folder !== null && existsSync(folder) ? resolve(folder) : null;
  }

  /** The recording of that name; null when there is none. Never reads outside its folder. */
  find(file: string): Recording | null {
    if (this.#folder === null) return null;
    const path = resolve(this.#folder, file);
    if (!path.startsWith(this.#folder + sep) || !existsSync(path)) return null;
    const line = this.#lines().get(file);
    const body = readFileSync(path);
    const contentType = CONTENT_TYPES[line?.format ?? ""] ?? CONTENT_TYPES[file.slice(file.lastIndexOf(".") + 1)] ?? "application/json";
    return { status: line?.status ?? 200, contentType, pieces: pieces(body, line?.transport_chunk_lengths, contentType) };
  }

  #lines(): Map<string, IndexLine> {
    if (this.#index !== null) return this.#index;
    const path = join(this.#folder ?? "", "index.jsonl");
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    const lines = text
      .split("\n")
      .filter((line) => line !== "")
      .map((line): unknown => JSON.parse(line));
    this.#index = new Map(lines.filter(isIndexLine).map((line) => [line.file, line]));
    return this.#index;
  }
}

/** Network pieces as recorded; without them one event of a stream at a time, or the whole body. */
function pieces(body: Buffer, lengths: number[] | null | undefined, contentType: string): Buffer[] {
  if (lengths !== undefined && lengths !== null && lengths.reduce((sum, length) => sum + length, 0) === body.length) {
    let offset = 0;
    return lengths.map((length) => body.subarray(offset, (offset += length)));
  }
  if (!contentType.includes("event-stream")) return [body];
  const parts: Buffer[] = [];
  let start = 0;
  for (const match of body.toString("latin1").matchAll(/\r?\n\r?\n/g)) {
    const end = match.index + match[0].length;
    parts.push(body.subarray(start, end));
    start = end;
  }
  if (start < body.length) parts.push(body.subarray(start));
  return parts;
}
