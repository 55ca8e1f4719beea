/** The rows of an account's conversations: its kept answers, what each was given from, and which item is where. Bounded in time and in size. */
import type { FoundResponse, KeptItem, KeptResponse, StateAnswer, StateQuestion } from "../../schema/conversation.ts";
import { responseStatusSchema } from "../../schema/conversation.ts";
import { checkWith, isObject, parseJson } from "../../schema/json.ts";
import { elementSlices, sliceAt } from "../../schema/json-slice.ts";
import { LIMITS } from "../../schema/limits.ts";

const CREATE = [
  `CREATE TABLE IF NOT EXISTS response (
    id TEXT PRIMARY KEY, request_id TEXT NOT NULL, previous TEXT, status TEXT NOT NULL, background INTEGER NOT NULL,
    provider TEXT NOT NULL, bytes INTEGER NOT NULL, created_at INTEGER NOT NULL, used_at INTEGER NOT NULL) STRICT, WITHOUT ROWID`,
  "CREATE INDEX IF NOT EXISTS response_used ON response (used_at)",
  `CREATE TABLE IF NOT EXISTS response_part (
    response_id TEXT NOT NULL, kind TEXT NOT NULL, part INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (response_id, kind, part)) STRICT, WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS item (
    id TEXT NOT NULL, response_id TEXT NOT NULL, kind TEXT NOT NULL, position INTEGER NOT NULL,
    PRIMARY KEY (id, kind, response_id)) STRICT, WITHOUT ROWID`,
  "CREATE INDEX IF NOT EXISTS item_of ON item (response_id)",
];
const PUT = `INSERT INTO response VALUES (?, ?, ?, ?, CAST(? AS INTEGER), ?, CAST(? AS INTEGER), CAST(? AS INTEGER), CAST(? AS INTEGER))
  ON CONFLICT (id) DO UPDATE SET status = excluded.status, provider = excluded.provider, bytes = excluded.bytes, used_at = excluded.used_at`;
const PUT_PART = "INSERT INTO response_part VALUES (?, ?, CAST(? AS INTEGER), ?)";
const PUT_ITEM = "INSERT INTO item VALUES (?, ?, ?, CAST(? AS INTEGER)) ON CONFLICT DO NOTHING";

type Kind = "input" | "body";
type Row = Record<string, SqlStorageValue>;

const decoder = new TextDecoder();

export class ConversationRows {
  readonly #sql: SqlStorage;
  readonly #now: () => number;
  /** All that is kept; null until it was added up. */
  #bytes: number | null = null;

  constructor(sql: SqlStorage, now: () => number) {
    this.#sql = sql;
    this.#now = now;
    for (const statement of CREATE) sql.exec(statement);
  }

  keep({ id, request_id, previous, status, background, provider, input, body }: KeptResponse): void {
    const before = this.#row(id);
    // The end of an answer that was deleted meanwhile, or called off: nobody waits for it.
    if (input === null && (before === null || before["status"] === "cancelled")) return;
    const kept = input ?? this.#read(id, "input");
    if (input !== null) this.remove(id);
    const now = String(this.#now());
    const link = input === null ? stringOrNull(before?.["previous"]) : previous;
    const bytes = String(kept.byteLength + body.byteLength);
    this.#sql.exec(PUT, id, request_id, link, status, background ? "1" : "0", provider, bytes, String(before?.["created_at"] ?? now), now);
    if (input !== null) this.#write(id, "input", input);
    this.#write(id, "body", body);
    if (this.#bytes !== null) this.#bytes += Number(bytes) - (input === null ? Number(before?.["bytes"] ?? 0) : 0);
    this.evict(LIMITS.conversationAccountBytes);
  }

  find(id: string): FoundResponse | null {
    const row = this.#row(id);
    const status = checkWith(responseStatusSchema, row?.["status"]);
    if (row === null || !status.ok) return null;
    return {
      request_id: String(row["request_id"]),
      status: status.value,
      background: row["background"] === 1,
      body: this.#read(id, "body"),
    };
  }

  remove(id: string): boolean {
    const wasThere = this.#row(id) !== null;
    const [size] = this.#sql.exec("SELECT bytes FROM response WHERE id = ?", id).toArray();
    if (this.#bytes !== null) this.#bytes -= Number(size?.["bytes"] ?? 0);
    for (const statement of [
      "DELETE FROM response WHERE id = ?",
      "DELETE FROM response_part WHERE response_id = ?",
      "DELETE FROM item WHERE response_id = ?",
    ])
      this.#sql.exec(statement, id);
    return wasThere;
  }

  resolve({ previous, items, brought }: StateQuestion): StateAnswer {
    const history = previous === null ? [] : this.#historyOf(previous);
    if (!Array.isArray(history)) return history;
    const found: KeptItem[] = [];
    for (const id of items) {
      const item = this.#item(id);
      if (item === null) return { found: "part", missing: id };
      found.push(item);
    }
    return { found: "all", history, items: found, brought: brought.map((id) => this.#item(id)) };
  }

  /** What an answer was given from: the turns before it, and its own input. */
  inputOf(id: string): KeptItem[] | null {
    const row = this.#row(id);
    if (row === null) return null;
    const previous = stringOrNull(row["previous"]);
    const before = previous === null ? [] : this.#historyOf(previous);
    return [...(Array.isArray(before) ? before : []), ...this.#itemsOf(row, "input")];
  }

  /** Deletes what is past its time; gives when there is more to delete, in milliseconds of the clock; null when nothing is kept. */
  sweep(): number | null {
    const before = this.#now() - LIMITS.conversationRetentionMilliseconds;
    const old = "SELECT id FROM response WHERE used_at < CAST(? AS INTEGER) ORDER BY used_at LIMIT CAST(? AS INTEGER)";
    for (const { id } of this.#sql.exec(old, String(before), String(LIMITS.conversationSweepRows)).toArray()) this.remove(String(id));
    const next = this.#sql.exec("SELECT min(used_at) AS at FROM response").toArray()[0]?.["at"];
    return typeof next === "number" ? next + LIMITS.conversationRetentionMilliseconds : null;
  }

  /** All turns up to an answer, oldest first, or why there is no such thing. Whatever is gone on from stays. */
  #historyOf(last: string): KeptItem[] | StateAnswer {
    const turns: KeptItem[][] = [];
    let bytes = 0;
    for (let id: string | null = last; id !== null;) {
      const row = this.#row(id);
      if (row === null) return { found: "part", missing: id };
      bytes += Number(row["bytes"]);
      if (bytes > LIMITS.conversationHistoryBytes || turns.length >= LIMITS.conversationHistoryTurns) return { found: "too-much" };
      this.#sql.exec("UPDATE response SET used_at = CAST(? AS INTEGER) WHERE id = ?", String(this.#now()), id);
      turns.push([...this.#itemsOf(row, "input"), ...this.#itemsOf(row, "body")]);
      id = stringOrNull(row["previous"]);
    }
    return turns.toReversed().flat();
  }

  #itemsOf(row: Row, kind: Kind): KeptItem[] {
    return this.#texts(String(row["id"]), kind).map((text) => {
      const id = idOf(text) ?? "";
      return { id, provider: (kind === "input" ? this.#giverOf(id) : null) ?? String(row["provider"]), text };
    });
  }

  /** The provider of the answer that an item was in. Null: it was in none, so its caller made it up. */
  #giverOf(id: string): string | null {
    const query =
      "SELECT response.provider FROM item JOIN response ON response.id = response_id WHERE item.id = ? AND kind = 'body' LIMIT 1";
    return id === "" ? null : stringOrNull(this.#sql.exec(query, id).toArray()[0]?.["provider"]);
  }

  #item(id: string): KeptItem | null {
    const place = this.#sql.exec("SELECT response_id, kind, position FROM item WHERE id = ? ORDER BY kind LIMIT 1", id).toArray()[0];
    const row = place === undefined ? null : this.#row(String(place["response_id"]));
    if (place === undefined || row === null) return null;
    const text = this.#texts(String(row["id"]), place["kind"] === "input" ? "input" : "body")[Number(place["position"])];
    return text === undefined ? null : { id, provider: this.#giverOf(id) ?? String(row["provider"]), text };
  }

  #row(id: string): Row | null {
    const oldest = String(this.#now() - LIMITS.conversationRetentionMilliseconds);
    return this.#sql.exec("SELECT * FROM response WHERE id = ? AND used_at >= CAST(? AS INTEGER)", id, oldest).toArray()[0] ?? null;
  }

  #texts(id: string, kind: Kind): string[] {
    const text = decoder.decode(this.#read(id, kind));
    return elementSlices(text, kind === "input" ? [] : ["output"]);
  }

  #write(id: string, kind: Kind, body: Uint8Array): void {
    this.#sql.exec("DELETE FROM response_part WHERE response_id = ? AND kind = ?", id, kind);
    this.#sql.exec("DELETE FROM item WHERE response_id = ? AND kind = ?", id, kind);
    for (let part = 0, offset = 0; offset < body.byteLength; part += 1, offset += LIMITS.conversationPartBytes) {
      const piece = body.slice(offset, offset + LIMITS.conversationPartBytes);
      this.#sql.exec(PUT_PART, id, kind, String(part), piece.buffer);
    }
    for (const [position, text] of this.#texts(id, kind).entries()) {
      const item = idOf(text);
      if (item !== null && item.length <= LIMITS.responseIdCharacters) this.#sql.exec(PUT_ITEM, item, id, kind, String(position));
    }
  }

  #read(id: string, kind: Kind): Uint8Array {
    const rows = this.#sql.exec("SELECT body FROM response_part WHERE response_id = ? AND kind = ? ORDER BY part", id, kind).toArray();
    const parts = rows.map(({ body }) => (body instanceof ArrayBuffer ? new Uint8Array(body) : new Uint8Array(0)));
    const all = new Uint8Array(parts.reduce((size, part) => size + part.byteLength, 0));
    let offset = 0;
    for (const part of parts) {
      all.set(part, offset);
      offset += part.byteLength;
    }
    return all;
  }

  /** Lets the answers go that were gone on from longest ago, until the rest is no more than this. Gives how many. */
  evict(limitBytes: number): number {
    this.#bytes ??= Number(this.#sql.exec("SELECT coalesce(sum(bytes), 0) AS total FROM response").one()["total"]);
    for (let gone = 0; ; gone += 1) {
      if (this.#bytes <= limitBytes) return gone;
      const [oldest] = this.#sql.exec("SELECT id FROM response ORDER BY used_at, created_at LIMIT 1").toArray();
      if (oldest === undefined) return gone;
      this.remove(String(oldest["id"]));
    }
  }
}

function stringOrNull(value: SqlStorageValue | undefined): string | null {
  return typeof value === "string" ? value : null;
}

function idOf(item: string): string | null {
  const parsed = parseJson(sliceAt(item, ["id"]) ?? "null");
  return parsed.ok && !isObject(parsed.value) && typeof parsed.value === "string" ? parsed.value : null;
}
