/**
 * Reads and writes the rows of one account's ledger: typed values in, typed values out, one statement a method. Decides nothing and
 * keeps nothing but the ids of price snapshots.
 */
import type { CreateKeyCommand } from "../../schema/key.ts";
import { type Entry, type Freeze, freezeSchema } from "../../schema/ledger.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { HoldRow, IdempotencyRow, Incident, KeyState } from "../ledger/state.ts";
import {
  type FactsRow,
  factsRowSchema,
  idRowSchema,
  readEntry,
  readHold,
  readIdempotency,
  readKey,
  seqRowSchema,
  SQL,
  TABLES,
} from "./ledger-tables.ts";

/**
 * The part of an object's storage that the ledger uses; `DurableObjectStorage` is one. Only text and null can be bound: a bound number
 * would arrive as REAL, and the compiler is a better guard against that than a rule.
 */
export interface LedgerStorage {
  sql: { exec(query: string, ...bound: (string | null)[]): LedgerCursor };
  transactionSync<T>(closure: () => T): T;
}

export interface LedgerCursor extends Iterable<Record<string, unknown>> {
  toArray(): Record<string, unknown>[];
  one(): Record<string, unknown>;
  readonly rowsWritten: number;
}

export class LedgerRows {
  readonly #sql: LedgerStorage["sql"];
  readonly #snapshotIds = new Map<string, number>();

  constructor(sql: LedgerStorage["sql"]) {
    this.#sql = sql;
    this.#sql.exec(TABLES);
  }

  lastEntry(): Entry | null {
    return this.#entry(SQL.lastEntry);
  }

  entryByExternalId(externalId: string): Entry | null {
    return this.#entry(SQL.entryByExternalId, externalId);
  }

  entriesAfter(seq: number, limit: number): Entry[] {
    return this.#sql.exec(SQL.entriesAfter, String(seq), String(limit)).toArray().map(readEntry);
  }

  entriesBySeq(seqs: readonly number[]): Entry[] {
    return this.#sql.exec(SQL.entriesBySeq, JSON.stringify(seqs)).toArray().map(readEntry);
  }

  /** One at a time, so that a long ledger is never in memory. */
  *eachEntryFrom(seq: number, limit: number): Generator<Entry> {
    for (const row of this.#sql.exec(SQL.entriesFrom, String(seq), String(limit))) yield readEntry(row);
  }

  insertEntry(entry: Entry): void {
    this.#sql.exec(
      SQL.insertEntry,
      String(entry.seq),
      entry.kind,
      entry.request_id,
      entry.external_id,
      entry.amount_micro_rub,
      entry.postings,
      entry.balance_after_micro_rub,
      entry.held_after_micro_rub,
      String(entry.at),
      entry.facts,
      entry.record,
      entry.prev_hash,
      entry.hash,
    );
  }

  hold(requestId: string): HoldRow | null {
    const row = this.#sql.exec(SQL.holdById, requestId).toArray()[0];
    return row === undefined ? null : readHold(row);
  }

  openHolds(): HoldRow[] {
    return this.#sql.exec(SQL.openHolds).toArray().map(readHold);
  }

  /** False when the request id is there already, and then nothing is written. */
  insertHold(hold: HoldRow): boolean {
    const cursor = this.#sql.exec(
      SQL.insertHold,
      hold.requestId,
      hold.keyId,
      String(hold.amount),
      hold.bodyHash,
      hold.model,
      hold.lane,
      String(this.#snapshotId(hold.snapshot)),
      String(hold.tokensBound),
      String(hold.createdAt),
      String(hold.expiresAt),
    );
    return cursor.rowsWritten > 0;
  }

  growHold(hold: HoldRow): void {
    this.#sql.exec(SQL.growHold, String(hold.amount), String(hold.expiresAt), hold.requestId);
  }

  /** Moves a hold from the state it is known to be in; throws when the row says otherwise. */
  endHold(before: HoldRow, after: HoldRow): void {
    const cursor = this.#sql.exec(SQL.endHold, after.state, String(after.seq), before.requestId, before.state);
    if (cursor.rowsWritten === 0) throw new Error(`hold ${before.requestId} is not ${before.state} in its row`);
  }

  /** Says whose a hold was that a restored ledger knew nothing of. */
  nameHold(hold: HoldRow): void {
    this.#sql.exec(SQL.nameHold, hold.keyId, hold.model, hold.lane, String(this.#snapshotId(hold.snapshot)), hold.requestId);
  }

  keys(): KeyState[] {
    return this.#sql.exec(SQL.keys).toArray().map(readKey);
  }

  insertKey(command: CreateKeyCommand, now: number): void {
    this.#sql.exec(SQL.insertKey, command.key_id, command.key_hash, command.name, JSON.stringify(command.limits), String(now));
  }

  revokeKey(keyId: string, now: number): void {
    this.#sql.exec(SQL.revokeKey, String(now), keyId);
  }

  idempotency(keyId: string, idempotencyKey: string): IdempotencyRow | null {
    const row = this.#sql.exec(SQL.idempotency, keyId, idempotencyKey).toArray()[0];
    return row === undefined ? null : readIdempotency(row);
  }

  writeIdempotency(row: IdempotencyRow): void {
    this.#sql.exec(
      SQL.insertIdempotency,
      row.keyId,
      row.idempotencyKey,
      row.bodyHash,
      row.requestId,
      row.failure === null ? null : String(row.failure.needed),
      row.failure === null ? null : String(row.failure.available),
      String(row.at),
    );
    this.#sql.exec(SQL.pruneIdempotency, String(row.at - LIMITS.idempotencyRetentionMilliseconds));
  }

  insertIncident(incident: Incident, now: number): void {
    this.#sql.exec(SQL.insertIncident, String(now), incident.kind, incident.requestId, incident.detail);
  }

  recordedSeq(): number {
    return seqRowSchema.parse(this.#sql.exec(SQL.recordedSeq).one()).seq;
  }

  markRecorded(seq: number): void {
    this.#sql.exec(SQL.markRecorded, String(seq));
  }

  facts(): FactsRow {
    return factsRowSchema.parse(this.#sql.exec(SQL.facts).one());
  }

  /** The sum of every account's postings, as exact text, by its name. */
  postingSums(): Record<string, string> {
    const sums = this.#sql.exec(SQL.postingSums).toArray();
    return Object.fromEntries(sums.map((row) => [String(row["name"]), String(row["sum"])]));
  }

  freeze(): Freeze | null {
    const row = this.#sql.exec(SQL.freeze).toArray()[0];
    return row === undefined ? null : freezeSchema.parse(row);
  }

  writeFreeze(freeze: Freeze): void {
    this.#sql.exec(SQL.writeFreeze, freeze.reason, String(freeze.d1_seq), String(freeze.at));
  }

  clearFreeze(): void {
    this.#sql.exec(SQL.clearFreeze);
  }

  /** Entries of D1 up to this one may be missing here, or others: an operator said so. 0 when nobody did. */
  partedSeq(): number {
    const row = this.#sql.exec(SQL.partedSeq).toArray()[0];
    return row === undefined ? 0 : seqRowSchema.parse(row).seq;
  }

  writeParted(seq: number): void {
    this.#sql.exec(SQL.writeParted, String(seq));
  }

  #entry(statement: string, ...bound: string[]): Entry | null {
    const row = this.#sql.exec(statement, ...bound).toArray()[0];
    return row === undefined ? null : readEntry(row);
  }

  /** Equal snapshots are stored once and named by their id, so that hold rows stay short. The id is looked up in the rows when it is not known here. */
  #snapshotId(snapshot: string): number {
    const known = this.#snapshotIds.get(snapshot);
    if (known !== undefined) return known;
    this.#sql.exec(SQL.insertSnapshot, snapshot);
    const { id } = idRowSchema.parse(this.#sql.exec(SQL.snapshotId, snapshot).one());
    if (this.#snapshotIds.size >= LIMITS.snapshotsCached) this.#snapshotIds.clear();
    this.#snapshotIds.set(snapshot, id);
    return id;
  }
}
