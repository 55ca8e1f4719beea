/**
 * Recorded streams of a lane: what a caller who lost one gets the rest from. Events are gathered in memory, a little of each stream, and
 * written as rows; readers take the rows first and then what is in memory, so that any number of them may follow a running stream and none
 * costs a copy of it. A stream whose owner died ends, for its readers, with an error after what is known of it.
 */
import { checkWith, parseWith } from "../../schema/json.ts";
import { LIMITS } from "../../schema/limits.ts";
import { storedHeaders } from "../../schema/request.ts";
import { z } from "zod";
import type { StreamFacts, StreamRecord, StreamStore } from "../engine/ports.ts";
import { tailEvent } from "../engine/recorded-stream.ts";

const CREATE = [
  `CREATE TABLE IF NOT EXISTS stream (
    request_id TEXT PRIMARY KEY, ended INTEGER NOT NULL, whole INTEGER NOT NULL, headers TEXT NOT NULL, numbered INTEGER NOT NULL,
    interrupted TEXT NOT NULL, too_large TEXT NOT NULL, updated_at INTEGER NOT NULL) STRICT, WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS stream_part (
    request_id TEXT NOT NULL, part INTEGER NOT NULL, events TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (request_id, part)) STRICT, WITHOUT ROWID`,
];
const OPEN = "INSERT INTO stream VALUES (?, 0, 1, ?, CAST(? AS INTEGER), ?, ?, CAST(? AS INTEGER)) ON CONFLICT DO NOTHING";
const END = "UPDATE stream SET ended = 1, whole = CAST(? AS INTEGER), updated_at = CAST(? AS INTEGER) WHERE request_id = ?";

/** Pieces of events in one row: the event's number and how many of the row's bytes are of it. An event may go over several rows. */
const piecesSchema = z.array(z.tuple([z.number().int(), z.number().int().nonnegative()]));

const streamRowSchema = z.looseObject({
  ended: z.number(),
  whole: z.number(),
  headers: z.string(),
  numbered: z.number(),
  interrupted: z.string(),
  too_large: z.string(),
});
type StreamRow = z.infer<typeof streamRowSchema>;

interface Event {
  number: number;
  bytes: Uint8Array;
}

interface Running {
  tail: Event[];
  tailBytes: number;
  parts: number;
  size: number;
  whole: boolean;
  wake: Set<() => void>;
}

export class StreamRows implements Pick<StreamStore, "open"> {
  readonly #sql: SqlStorage;
  readonly #now: () => number;
  readonly #running = new Map<string, Running>();

  constructor(sql: SqlStorage, now: () => number) {
    this.#sql = sql;
    this.#now = now;
    for (const statement of CREATE) sql.exec(statement);
  }

  open(id: string, facts: StreamFacts): StreamRecord {
    const { headers, numbered, interrupted, too_large } = facts;
    this.#sql.exec(OPEN, id, JSON.stringify(headers), numbered ? "1" : "0", interrupted, too_large, String(this.#now()));
    const running: Running = { tail: [], tailBytes: 0, parts: 0, size: 0, whole: true, wake: new Set() };
    this.#running.set(id, running);
    return {
      add: (number, bytes) => this.#add(id, running, { number, bytes: bytes.slice() }),
      save: () => this.#save(id, running),
      end: () => this.#end(id, running),
      drop: () => this.#drop(id, running),
    };
  }

  /** The recorded headers and the events after `after`, as they come; null when there is no such stream. */
  read(id: string, after: number): { headers: Record<string, string>; events: AsyncGenerator<Uint8Array | null> } | null {
    const row = this.#row(id);
    const headers = row === null ? null : parseWith(storedHeaders, row.headers);
    return headers?.ok === true ? { headers: headers.value, events: this.#events(id, after) } : null;
  }

  /** When the oldest of them is past its time; null when there is none. */
  get pruneAt(): number | null {
    const oldest = this.#sql.exec("SELECT min(updated_at) AS at FROM stream").one()["at"];
    return typeof oldest === "number" ? oldest + LIMITS.resumableRetentionMilliseconds + 1 : null;
  }

  /** Deletes what is past its time; bounded, so call it again. */
  prune(): void {
    const before = String(this.#now() - LIMITS.resumableRetentionMilliseconds);
    const old = "SELECT request_id FROM stream WHERE updated_at < CAST(? AS INTEGER) ORDER BY request_id LIMIT CAST(? AS INTEGER)";
    for (const { request_id: id } of this.#sql.exec(old, before, String(LIMITS.resumablePruneRows)).toArray()) {
      if (!this.#running.has(String(id))) this.#delete(String(id));
    }
  }

  #add(id: string, running: Running, event: Event): void {
    running.size += event.bytes.byteLength;
    if (running.size > LIMITS.resumableBytes) running.whole = false;
    if (running.whole) {
      running.tail.push(event);
      running.tailBytes += event.bytes.byteLength;
      if (running.tailBytes > LIMITS.resumableTailBytes) this.#save(id, running);
    }
    wakeAll(running);
  }

  #save(id: string, running: Running): void {
    for (const { pieces, body } of rowsOf(running.tail)) {
      const part = String(running.parts++);
      this.#sql.exec("INSERT INTO stream_part VALUES (?, CAST(? AS INTEGER), ?, ?)", id, part, JSON.stringify(pieces), body.buffer);
    }
    running.tail = [];
    running.tailBytes = 0;
  }

  #end(id: string, running: Running): void {
    this.#save(id, running);
    this.#sql.exec(END, running.whole ? "1" : "0", String(this.#now()), id);
    this.#running.delete(id);
    wakeAll(running);
  }

  #drop(id: string, running: Running): void {
    this.#delete(id);
    this.#running.delete(id);
    wakeAll(running);
  }

  #delete(id: string): void {
    this.#sql.exec("DELETE FROM stream WHERE request_id = ?", id);
    this.#sql.exec("DELETE FROM stream_part WHERE request_id = ?", id);
  }

  #row(id: string): StreamRow | null {
    const oldest = String(this.#now() - LIMITS.resumableRetentionMilliseconds);
    const query = "SELECT * FROM stream WHERE request_id = ? AND updated_at >= CAST(? AS INTEGER)";
    const row = checkWith(streamRowSchema, this.#sql.exec(query, id, oldest).toArray()[0]);
    return row.ok ? row.value : null;
  }

  /** Null is a moment in which nothing came. */
  async *#events(id: string, after: number): AsyncGenerator<Uint8Array | null> {
    let last = after;
    for (let part = 0; ;) {
      const stored = this.#part(id, part, last);
      if (stored !== null) {
        part += 1;
        if (stored.bytes.byteLength > 0) yield stored.bytes;
        last = Math.max(last, stored.last);
        continue;
      }
      const running = this.#running.get(id);
      if (running === undefined || !running.whole) break;
      const fresh = running.tail.filter(({ number }) => number > last);
      if (fresh.length > 0) {
        last = fresh.at(-1)?.number ?? last;
        yield joined(fresh.map(({ bytes }) => bytes));
      } else if (!(await woken(running))) yield null;
    }
    const row = this.#row(id);
    if (row === null || (row.ended === 1 && row.whole === 1)) return;
    const text = row.whole === 1 && !this.#running.has(id) ? row.interrupted : row.too_large;
    yield tailEvent(text, Math.max(last, this.#lastNumber(id)), row.numbered === 1);
  }

  /** One row's bytes after an event, and the last event in it; null past the last row. A piece of an event goes with the rest of it. */
  #part(id: string, part: number, after: number): { bytes: Uint8Array; last: number } | null {
    const query = "SELECT events, body FROM stream_part WHERE request_id = ? AND part = CAST(? AS INTEGER)";
    const row = this.#sql.exec(query, id, String(part)).toArray()[0];
    if (row === undefined || !(row["body"] instanceof ArrayBuffer)) return null;
    const pieces = parseWith(piecesSchema, String(row["events"]));
    if (!pieces.ok) throw new Error("a recorded stream is unreadable");
    const skipped = pieces.value.filter(([number]) => number <= after).reduce((size, [, length]) => size + length, 0);
    const next = this.#firstOf(id, part + 1);
    const ends = pieces.value.map(([number]) => number).filter((number) => number !== next);
    return { bytes: new Uint8Array(row["body"]).subarray(skipped), last: ends.at(-1) ?? -1 };
  }

  #firstOf(id: string, part: number): number | null {
    const query = "SELECT json_extract(events, '$[0][0]') AS first FROM stream_part WHERE request_id = ? AND part = CAST(? AS INTEGER)";
    const row = this.#sql.exec(query, id, String(part)).toArray()[0];
    return row === undefined ? null : Number(row["first"]);
  }

  #lastNumber(id: string): number {
    const query = "SELECT json_extract(events, '$[#-1][0]') AS last FROM stream_part WHERE request_id = ? ORDER BY part DESC LIMIT 1";
    const row = this.#sql.exec(query, id).toArray()[0];
    return row === undefined ? -1 : Number(row["last"]);
  }
}

function wakeAll({ wake }: Running): void {
  for (const resolve of wake) resolve();
  wake.clear();
}

/** True when something came; false when a reader should be shown that the stream still runs. */
function woken(running: Running): Promise<boolean> {
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      resolve(true);
    };
    const timer = setTimeout(() => {
      running.wake.delete(wake);
      resolve(false);
    }, LIMITS.heartbeatMilliseconds);
    running.wake.add(wake);
  });
}

interface Row {
  pieces: [number, number][];
  body: Uint8Array<ArrayBuffer>;
}

/** Events as rows of bounded size. */
function rowsOf(events: readonly Event[]): Row[] {
  const rows: Row[] = [];
  let pieces: [number, number][] = [];
  let bodies: Uint8Array[] = [];
  let size = 0;
  const close = (): void => {
    if (pieces.length > 0) rows.push({ pieces, body: joined(bodies) });
    pieces = [];
    bodies = [];
    size = 0;
  };
  for (const { number, bytes } of events) {
    for (let offset = 0; offset < bytes.byteLength;) {
      if (size >= LIMITS.resumablePartBytes) close();
      const piece = bytes.subarray(offset, offset + LIMITS.resumablePartBytes - size);
      pieces.push([number, piece.byteLength]);
      bodies.push(piece);
      size += piece.byteLength;
      offset += piece.byteLength;
    }
  }
  close();
  return rows;
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.byteLength;
  }
  return all;
}
