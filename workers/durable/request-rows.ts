/** The rows of a lane: its requests from before their dispatch until their retention ends, and answers kept for an `Idempotency-Key`. */
import { parseWith } from "../../schema/json.ts";
import { LIMITS } from "../../schema/limits.ts";
import {
  storedHeaders,
  storedRequestSchema,
  type LifecycleFrame,
  type OpenRequest,
  type Progress,
  type RequestState,
  type StoredRequest,
} from "../../schema/request.ts";
import { type RoutedRequest, routingDecisionSchema } from "../../schema/routing.ts";
import type { RequestStore, StoredAnswer } from "../engine/ports.ts";

const CREATE = [
  `CREATE TABLE IF NOT EXISTS request (
    id TEXT PRIMARY KEY, ended INTEGER NOT NULL, state TEXT NOT NULL, facts TEXT NOT NULL, frames TEXT NOT NULL,
    progress TEXT, updated_at INTEGER NOT NULL) STRICT, WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS answer (
    request_id TEXT NOT NULL, part INTEGER NOT NULL, status INTEGER NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL,
    kept_at INTEGER NOT NULL, PRIMARY KEY (request_id, part)) STRICT, WITHOUT ROWID`,
];
const INSERT = "INSERT INTO request (id, ended, state, facts, frames, updated_at) VALUES (?, 0, 'dispatched', ?, ?, CAST(? AS INTEGER))";
const SAVE =
  "UPDATE request SET state = ?, frames = ?, progress = ?, ended = CAST(? AS INTEGER), updated_at = CAST(? AS INTEGER) WHERE id = ?";
const COLUMNS = "SELECT id, state, facts, frames, progress FROM request";

const DECISIONS = `SELECT id, state, facts -> '$.plan.routing_snapshot' AS decision, facts ->> '$.received_at' AS at
  FROM (SELECT id, state, facts FROM request ORDER BY id DESC LIMIT ?)
  WHERE decision IS NOT NULL LIMIT ?`;

type Row = Record<string, SqlStorageValue>;

export class RequestRows implements RequestStore {
  readonly #sql: SqlStorage;
  readonly #now: () => number;

  constructor(sql: SqlStorage, now: () => number) {
    this.#sql = sql;
    this.#now = now;
    for (const statement of CREATE) sql.exec(statement);
  }

  open(id: string, facts: OpenRequest, frames: readonly LifecycleFrame[]): void {
    this.#sql.exec(INSERT, id, JSON.stringify(facts), JSON.stringify(frames), String(this.#now()));
  }

  save(id: string, change: { state: RequestState; frames: readonly LifecycleFrame[]; progress: Progress | null }): void {
    const ended = change.frames.some((frame) => frame.event === "settled" || frame.event === "released");
    const progress = change.progress === null ? null : JSON.stringify(change.progress);
    this.#sql.exec(SAVE, change.state, JSON.stringify(change.frames), progress, ended ? "1" : "0", String(this.#now()), id);
  }

  read(id: string): StoredRequest | null {
    const row = this.#sql.exec(`${COLUMNS} WHERE id = ?`, id).toArray()[0];
    return row === undefined ? null : storedRequest(row);
  }

  /** The router's decisions among the newest requests: ids sort by their age. */
  decisions(): RoutedRequest[] {
    const rows = this.#sql.exec(DECISIONS, LIMITS.decisionsSearched, LIMITS.decisionsShown).toArray();
    return rows.flatMap((row) => routedRequest(row) ?? []);
  }

  keepAnswer(id: string, answer: StoredAnswer): void {
    if (answer.body.byteLength > LIMITS.replayAnswerBytes) return;
    const headers = JSON.stringify(answer.headers);
    for (let part = 0, offset = 0; part === 0 || offset < answer.body.byteLength; part += 1, offset += LIMITS.replayPartBytes) {
      const body = answer.body.slice(offset, offset + LIMITS.replayPartBytes);
      this.#sql.exec(
        "INSERT INTO answer VALUES (?, CAST(? AS INTEGER), CAST(? AS INTEGER), ?, ?, CAST(? AS INTEGER)) ON CONFLICT DO NOTHING",
        id,
        String(part),
        String(answer.status),
        headers,
        body.buffer,
        String(this.#now()),
      );
    }
  }

  answer(id: string): StoredAnswer | null {
    const rows = this.#sql.exec("SELECT status, headers, body FROM answer WHERE request_id = ? ORDER BY part", id).toArray();
    const [first] = rows;
    if (first === undefined) return null;
    const headers = parseWith(storedHeaders, String(first["headers"]));
    if (!headers.ok) throw new Error("Cannot replay: stored headers are unreadable");
    const parts = rows.map((row) => (row["body"] instanceof ArrayBuffer ? new Uint8Array(row["body"]) : new Uint8Array(0)));
    return { status: Number(first["status"]), headers: headers.value, body: joined(parts) };
  }

  /** Deletes what is past its retention; bounded, so call it again. */
  prune(): void {
    const now = this.#now();
    const before = String(now - LIMITS.requestRetentionMilliseconds);
    this.#sql.exec(
      "DELETE FROM request WHERE id IN (SELECT id FROM request WHERE ended = 1 AND updated_at < CAST(? AS INTEGER) LIMIT 500)",
      before,
    );
    this.#sql.exec("DELETE FROM answer WHERE kept_at < CAST(? AS INTEGER)", String(now - LIMITS.idempotencyRetentionMilliseconds));
  }
}

function routedRequest(row: Row): RoutedRequest | null {
  const parsed = parseWith(routingDecisionSchema, String(row["decision"]));
  if (!parsed.ok) return null;
  const { model, basis, route, reasons, candidates, candidates_left_out: leftOut, prompt } = parsed.value;
  return {
    request_id: String(row["id"]),
    at: Number(row["at"]),
    state: String(row["state"]),
    model,
    basis,
    route,
    reasons,
    workload: prompt.workload.label,
    difficulty: prompt.difficulty.level,
    able: candidates.filter(({ excluded }) => excluded === null).length,
    candidates: candidates.length + leftOut,
  };
}

function storedRequest(row: Row): StoredRequest {
  const text = `{"id":${JSON.stringify(row["id"])},"state":${JSON.stringify(row["state"])},"facts":${String(row["facts"])},"frames":${String(row["frames"])},"progress":${String(row["progress"] ?? "null")}}`;
  const parsed = parseWith(storedRequestSchema, text);
  if (!parsed.ok) throw new Error(`Cannot read a stored request: ${parsed.message} at ${parsed.path ?? "?"}`);
  return parsed.value;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.byteLength;
  }
  return all;
}
