/**
 * The ledger of one account on an object's SQLite: reads what a pure step of workers/ledger needs, runs the step, writes what it says.
 *
 * What makes it cheap: the account, its keys, limit counters and open holds are kept in memory, so an admission is one INSERT and a
 * settlement one UPDATE and one INSERT. What makes it safe: memory changes only after the write has returned, several writes share one
 * `transactionSync`, and at opening everything in memory is computed from the rows again. The entry is its own outbox row: entries
 * above the recorded watermark are those still to be delivered.
 */
import type { CreateKeyCommand, KeyRow } from "../../schema/key.ts";
import type {
  AdmitCommand,
  AdmitResult,
  Balance,
  CreditCommand,
  CreditResult,
  EndResult,
  Entry,
  ExtendCommand,
  ExtendResult,
  Hold,
  LedgerFacts,
  ReleaseCommand,
  ReleaseResult,
  SettleCommand,
  SettleResult,
} from "../../schema/ledger.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { Usage } from "../../schema/usage.ts";
import { type AdmitDecision, type AdmitWrites, decideAdmit } from "../ledger/admit.ts";
import { decideCredit } from "../ledger/credit.ts";
import { type ChainCheck, checkChain } from "../ledger/entry.ts";
import { decideExtend } from "../ledger/extend.ts";
import { decideExpire, decideRelease, decideSettle, type EndDecision, type EndView } from "../ledger/finish.ts";
import {
  type AccountState,
  availableOf,
  EMPTY_ACCOUNT,
  type HashText,
  type HoldRow,
  type IdempotencyRow,
  type KeyState,
} from "../ledger/state.ts";
import { type CreatedKey, LedgerKeys } from "./ledger-keys.ts";
import { LedgerRows, type LedgerStorage } from "./ledger-rows.ts";
import { holdView, usageMessage } from "./ledger-tables.ts";

export interface LedgerPorts {
  /** Milliseconds; the only clock that decides expiry. */
  now: () => number;
  /** Hex SHA-256, synchronous. */
  hash: HashText;
}

export interface OutboxMessage {
  seq: number;
  /** JSON text of one `UsageMessage`. */
  body: string;
  bytes: number;
}

/** Opens (and on first use creates) the ledger in `storage`. Synchronous: call it in the object's constructor. */
export function openLedger(storage: LedgerStorage, ports: LedgerPorts): Ledger {
  return new Ledger(storage, ports);
}

/** Tokens a request really used, as a per-minute limit counts them. */
function usedTokens(usage: Usage): number {
  const { input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens } = usage;
  return [input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens].reduce<number>(
    (sum, tokens) => sum + (tokens ?? 0),
    0,
  );
}

export class Ledger {
  readonly #storage: LedgerStorage;
  readonly #rows: LedgerRows;
  readonly #ports: LedgerPorts;
  readonly #encoder = new TextEncoder();
  readonly #keys: LedgerKeys;
  readonly #openHolds = new Map<string, HoldRow>();
  #account: AccountState = EMPTY_ACCOUNT;
  #recordedSeq = 0;
  /** Earliest expiry of the open holds; undefined when it must be looked for again. */
  #deadline: number | null | undefined = null;

  constructor(storage: LedgerStorage, ports: LedgerPorts) {
    this.#storage = storage;
    this.#rows = new LedgerRows(storage.sql);
    this.#keys = new LedgerKeys(this.#rows);
    this.#ports = ports;
    this.#load();
  }

  /** Admits, refuses or replays a request. Same request id and facts again: the same answer, one hold. */
  admit(command: AdmitCommand): AdmitResult {
    const now = this.#ports.now();
    const first = this.#decideAdmit(command, this.#openHolds.get(command.request_id) ?? null, now);
    if (first.writes === null) return first.result;
    if (this.#writeAdmission(first.writes)) return first.result;
    return this.#decideAdmit(command, this.#rows.hold(command.request_id), now).result;
  }

  /** Charges a request, once whatever is repeated. */
  settle(command: SettleCommand): SettleResult {
    const now = this.#ports.now();
    const view = this.#endView(command.request_id);
    return this.#end(view, decideSettle(view, command, now, this.#ports.hash), usedTokens(command.facts.usage), now);
  }

  /** Gives a request's hold back. */
  release(command: ReleaseCommand): ReleaseResult {
    const now = this.#ports.now();
    const view = this.#endView(command.request_id);
    return this.#end(view, decideRelease(view, command, now, this.#ports.hash), 0, now);
  }

  /** Gives back a hold past its expiry; `record` as in a release. The tokens of its rate limit stay taken: nobody knows what it used. */
  expire(requestId: string, record: string | null): EndResult {
    const now = this.#ports.now();
    const view = this.#endView(requestId);
    return this.#end(view, decideExpire(view, record, now, this.#ports.hash), view.hold?.tokensBound ?? 0, now);
  }

  /** Grows a hold or prolongs it. */
  extend(command: ExtendCommand): ExtendResult {
    const hold = this.#openHolds.get(command.request_id) ?? this.#rows.hold(command.request_id);
    const { result, writes } = decideExtend(this.#account, hold, command, this.#ports.now());
    if (writes === null) return result;
    const { requestId, keyId } = writes.hold;
    this.#storage.transactionSync(() => this.#rows.growHold(writes.hold));
    this.#openHolds.set(requestId, writes.hold);
    this.#account = { ...this.#account, held: this.#account.held + writes.growth };
    this.#deadline = undefined;
    this.#keys.holdGrew(keyId, writes.growth);
    return result;
  }

  /** Books money from outside, once for each external id. */
  credit(command: CreditCommand): CreditResult {
    const now = this.#ports.now();
    const { result, writes } = this.#storage.transactionSync(() => {
      const view = { account: this.#account, existing: this.#rows.entryByExternalId(command.external_id) };
      const decision = decideCredit(view, command, now, this.#ports.hash);
      if (decision.writes !== null) this.#rows.insertEntry(decision.writes.entry);
      if (decision.incident !== null) this.#rows.insertIncident(decision.incident, now);
      return decision;
    });
    if (writes !== null) this.#account = writes.account;
    return result;
  }

  /** Stores a key by its hash. */
  createKey(command: CreateKeyCommand): CreatedKey {
    return this.#keys.create(command, this.#ports.now());
  }

  /** Revokes a key for every admission from now on; requests already admitted run on. False: no such key. */
  revokeKey(keyId: string): boolean {
    return this.#keys.revoke(keyId, this.#ports.now());
  }

  keys(): KeyRow[] {
    return this.#keys.list(this.#ports.now());
  }

  /** The id of a key that may be used now; null for one unknown, revoked or expired. */
  keyIdOfHash(keyHash: string): string | null {
    return this.#keys.usableId(keyHash, this.#ports.now());
  }

  balance(): Balance {
    return {
      balance_micro_rub: this.#account.balance.toString(),
      held_micro_rub: this.#account.held.toString(),
      available_micro_rub: availableOf(this.#account).toString(),
    };
  }

  /** Entries after `afterSeq`, oldest first, at most `limit` of them. */
  entries(afterSeq: number, limit: number): Entry[] {
    return this.#rows.entriesAfter(afterSeq, Math.min(limit, LIMITS.ledgerPageRowsMax));
  }

  /** The entries of these numbers that exist, oldest first. */
  entriesBySeq(seqs: readonly number[]): Entry[] {
    return this.#rows.entriesBySeq(seqs);
  }

  hold(requestId: string): Hold | null {
    const hold = this.#openHolds.get(requestId) ?? this.#rows.hold(requestId);
    return hold === null ? null : holdView(hold);
  }

  /** HELD holds, oldest first. */
  openHolds(): Hold[] {
    return [...this.#openHolds.values()].map(holdView);
  }

  /** Up to `limit` holds past their expiry and still HELD. Their lanes are asked to end them; `expire` is what remains. */
  expireDue(limit: number): Hold[] {
    const now = this.#ports.now();
    const due: Hold[] = [];
    for (const hold of this.#openHolds.values()) {
      if (due.length >= limit) break;
      if (now >= hold.expiresAt) due.push(holdView(hold));
    }
    return due;
  }

  /** Earliest expiry of an open hold, in milliseconds; null when none is open. */
  nextDeadline(): number | null {
    if (this.#deadline === undefined) {
      let earliest = Number.POSITIVE_INFINITY;
      for (const hold of this.#openHolds.values()) earliest = Math.min(earliest, hold.expiresAt);
      this.#deadline = Number.isFinite(earliest) ? earliest : null;
    }
    return this.#deadline;
  }

  /** The next messages to deliver: entries above `afterSeq` (by default the watermark), within both limits but at least one when there is any. */
  unrecorded(accountId: string, limitRows: number, limitBytes: number, afterSeq = this.#recordedSeq): OutboxMessage[] {
    if (afterSeq >= this.#account.seq) return [];
    const messages: OutboxMessage[] = [];
    let bytes = 0;
    for (const entry of this.entries(afterSeq, limitRows)) {
      const message = this.#message(accountId, entry);
      bytes += message.bytes;
      if (messages.length > 0 && bytes > limitBytes) break;
      messages.push(message);
    }
    return messages;
  }

  /** The messages of these entries again, whatever the watermark says. */
  resend(accountId: string, seqs: readonly number[]): OutboxMessage[] {
    return this.entriesBySeq(seqs).map((entry) => this.#message(accountId, entry));
  }

  /** The number of the last entry. */
  get lastSeq(): number {
    return this.#account.seq;
  }

  /** The last entry known to be in D1. */
  get recordedSeq(): number {
    return this.#recordedSeq;
  }

  /** All entries up to `throughSeq` are in D1. Never goes back, never past the last entry. */
  markRecorded(throughSeq: number): void {
    const seq = Math.min(throughSeq, this.#account.seq);
    if (seq <= this.#recordedSeq) return;
    this.#rows.markRecorded(seq);
    this.#recordedSeq = seq;
  }

  /** What reconciliation compares; count and sum are taken from the rows. */
  facts(): LedgerFacts {
    const row = this.#rows.facts();
    return {
      seq: row.seq,
      count: row.count,
      sum: row.sum,
      hash: this.#account.headHash,
      balance_micro_rub: this.#account.balance.toString(),
      held_micro_rub: this.#account.held.toString(),
      recorded_seq: this.#recordedSeq,
      open_holds: this.#openHolds.size,
      incidents: row.incidents,
    };
  }

  /** Recomputes every hash and balance from `fromSeq` on. */
  verifyChain(fromSeq = 1): ChainCheck {
    const before = this.entriesBySeq([fromSeq - 1])[0];
    if (before === undefined && fromSeq > 1) return { ok: false, seq: fromSeq - 1, reason: "entry is missing" };
    const start = { seq: fromSeq - 1, hash: before?.hash ?? "", balance: BigInt(before?.balance_after_micro_rub ?? "0") };
    return checkChain(this.#rows.eachEntryFrom(fromSeq), start, this.#ports.hash);
  }

  #load(): void {
    const entry = this.#rows.lastEntry();
    if (entry !== null) {
      this.#account = { balance: BigInt(entry.balance_after_micro_rub), held: 0n, seq: entry.seq, headHash: entry.hash };
    }
    this.#recordedSeq = this.#rows.recordedSeq();
    for (const hold of this.#rows.openHolds()) this.#rememberHold(hold);
    this.#keys.rebuildBuckets(this.#ports.now());
  }

  #rememberHold(hold: HoldRow): void {
    this.#openHolds.set(hold.requestId, hold);
    this.#account = { ...this.#account, held: this.#account.held + hold.amount };
    if (this.#deadline !== undefined && (this.#deadline === null || hold.expiresAt < this.#deadline)) this.#deadline = hold.expiresAt;
    this.#keys.holdOpened(hold);
  }

  #decideAdmit(command: AdmitCommand, existing: HoldRow | null, now: number): AdmitDecision {
    const key = this.#keys.ofHash(command.key_hash);
    const idempotent = key === null ? null : this.#findIdempotency(key, command.idempotency_key, now);
    const idempotentHold =
      idempotent === null ? null : (this.#openHolds.get(idempotent.requestId) ?? this.#rows.hold(idempotent.requestId));
    return decideAdmit(
      { account: this.#account, openHolds: this.#openHolds.size, key, existing, idempotent, idempotentHold },
      command,
      now,
    );
  }

  #findIdempotency(key: KeyState, idempotencyKey: string | null, now: number): IdempotencyRow | null {
    if (idempotencyKey === null) return null;
    const stored = this.#rows.idempotency(key.keyId, idempotencyKey);
    return stored === null || now - stored.at > LIMITS.idempotencyRetentionMilliseconds ? null : stored;
  }

  /** False when the request id was there already and nothing was written. */
  #writeAdmission(writes: AdmitWrites): boolean {
    const { hold, idempotency } = writes;
    // One statement is its own transaction; only the further row of an `Idempotency-Key` needs another around both.
    const written =
      idempotency === null
        ? hold === null || this.#rows.insertHold(hold)
        : this.#storage.transactionSync(() => {
            if (hold !== null && !this.#rows.insertHold(hold)) return false;
            this.#rows.writeIdempotency(idempotency);
            return true;
          });
    if (!written || hold === null) return written;
    this.#rememberHold(hold);
    this.#keys.setBuckets(hold.keyId, writes.requestBucket, writes.tokenBucket);
    return true;
  }

  #endView(requestId: string): EndView {
    const hold = this.#openHolds.get(requestId) ?? this.#rows.hold(requestId);
    const ended = hold === null || hold.seq === null ? null : (this.entriesBySeq([hold.seq])[0] ?? null);
    return { account: this.#account, hold, ended };
  }

  /** Writes what ends a request, then moves memory: the account, the open holds, the key's counters. */
  #end(view: EndView, decision: EndDecision, tokens: number, now: number): EndResult {
    const { writes, incident, result } = decision;
    if (writes === null) {
      if (incident !== null) this.#rows.insertIncident(incident, this.#ports.now());
      return result;
    }
    const before = view.hold;
    if (before === null) throw new Error("a hold that is not there was ended");
    const spend = this.#keys.spendAfter(before.keyId, writes.charge, now);
    this.#storage.transactionSync(() => {
      this.#rows.endHold(before, writes.hold);
      this.#rows.insertEntry(writes.entry);
      if (spend !== null) this.#rows.writeSpend(before.keyId, spend);
      if (incident !== null) this.#rows.insertIncident(incident, this.#ports.now());
    });
    this.#account = writes.account;
    if (this.#deadline === before.expiresAt) this.#deadline = undefined;
    if (spend !== null) this.#keys.setSpend(before.keyId, spend);
    if (this.#openHolds.delete(before.requestId)) this.#keys.holdClosed(before, tokens, now);
    return result;
  }

  #message(accountId: string, entry: Entry): OutboxMessage {
    const body = usageMessage(accountId, entry);
    return { seq: entry.seq, body, bytes: this.#encoder.encode(body).length };
  }
}
