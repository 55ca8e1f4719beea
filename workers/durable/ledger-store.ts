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
  Freeze,
  FreezeCommand,
  Hold,
  LedgerFacts,
  ReleaseCommand,
  ReleaseResult,
  ReplayResult,
  SettleCommand,
  SettleResult,
  TrueUpCommand,
  TrueUpResult,
} from "../../schema/ledger.ts";
import { LIMITS } from "../../schema/limits.ts";
import { type AdmitDecision, type AdmitWrites, decideAdmit } from "../ledger/admit.ts";
import { decideCredit, uncredited } from "../ledger/credit.ts";
import { type ChainCheck, checkChain } from "../ledger/entry.ts";
import { decideExtend } from "../ledger/extend.ts";
import { decideExpire, decideRelease, decideSettle, type EndDecision, type EndView } from "../ledger/finish.ts";
import { usedTokens } from "../ledger/rates.ts";
import { availableOf, type HashText, type HoldRow, type IdempotencyRow, isBlocked, type KeyState } from "../ledger/state.ts";
import { decideTrueUp, notTruedUp, trueUpId } from "../ledger/true-up.ts";
import type { CreatedKey } from "./ledger-keys.ts";
import { LedgerMemory } from "./ledger-memory.ts";
import { freezeLedger, LedgerFrozen, replayEntries, thawLedger } from "./ledger-replay.ts";
import { LedgerRows, type LedgerStorage } from "./ledger-rows.ts";
import { holdView, usageMessage } from "./ledger-tables.ts";
import { LimitRows } from "./limit-rows.ts";
import { LimitSettings } from "./limit-settings.ts";

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

export class Ledger {
  readonly #storage: LedgerStorage;
  readonly #rows: LedgerRows;
  readonly #ports: LedgerPorts;
  readonly #encoder = new TextEncoder();
  readonly #memory: LedgerMemory;
  /** Limits of the account and its keys, to read and to change. */
  readonly limits: LimitSettings;

  constructor(storage: LedgerStorage, ports: LedgerPorts) {
    this.#storage = storage;
    this.#rows = new LedgerRows(storage.sql);
    this.#ports = ports;
    this.#memory = new LedgerMemory(this.#rows, new LimitRows(storage.sql));
    this.limits = new LimitSettings({ storage, memory: this.#memory, now: ports.now });
  }

  /** Admits, refuses or replays a request. Same request id and facts again: the same answer, one hold. */
  admit(command: AdmitCommand): AdmitResult {
    const now = this.#ports.now();
    const first = this.#decideAdmit(command, this.#memory.openHolds.get(command.request_id) ?? null, now);
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
    const hold = this.#holdOf(command.request_id);
    const view = { account: this.#memory.account, hold, owners: this.#memory.ownersOf(hold) };
    const { result, writes } = decideExtend(view, command, this.#ports.now());
    if (writes === null) return result;
    this.#assertThawed();
    this.#storage.transactionSync(() => this.#rows.growHold(writes.hold));
    this.#memory.grew(writes.hold, writes.growth);
    return result;
  }

  /** Books money from outside, once for each external id. */
  credit(command: CreditCommand): CreditResult {
    const now = this.#ports.now();
    if (this.#memory.frozen !== null) return uncredited("frozen", this.#memory.account);
    const { result, writes } = this.#storage.transactionSync(() => {
      const view = { account: this.#memory.account, existing: this.#rows.entryByExternalId(command.external_id) };
      const decision = decideCredit(view, command, now, this.#ports.hash);
      if (decision.writes !== null) this.#rows.insertEntry(decision.writes.entry);
      if (decision.incident !== null) this.#rows.insertIncident(decision.incident, now);
      return decision;
    });
    if (writes !== null) this.#memory.account = writes.account;
    return result;
  }

  /** Corrects the charge of a request that has ended, once. */
  trueUp(command: TrueUpCommand): TrueUpResult {
    const now = this.#ports.now();
    if (this.#memory.frozen !== null) return notTruedUp("frozen", this.#memory.account);
    const existing = this.#rows.entryByExternalId(trueUpId(command.request_id));
    const decision = decideTrueUp({ ...this.#endView(command.request_id), existing }, command, now, this.#ports.hash);
    const { writes, incident, result } = decision;
    const spends = writes === null ? new Map() : this.#memory.spendsAfter(writes.hold.keyId, writes.charge, now);
    this.#storage.transactionSync(() => {
      if (writes !== null) this.#rows.insertEntry(writes.entry);
      this.#memory.limits.rows.writeSpends(spends);
      if (incident !== null) this.#rows.insertIncident(incident, now);
    });
    if (writes !== null) this.#memory.account = writes.account;
    this.#memory.counted({ spends }, now);
    return result;
  }

  /** Stores a key by its hash. */
  createKey(command: CreateKeyCommand): CreatedKey {
    return this.#memory.keys.create(command, this.#ports.now());
  }

  /** Revokes a key for every admission from now on; requests already admitted run on. False: no such key. */
  revokeKey(keyId: string): boolean {
    return this.#memory.keys.revoke(keyId, this.#ports.now());
  }

  keys(): KeyRow[] {
    return this.#memory.keys.list(this.#ports.now());
  }

  /** The id of a key that may be used now; null for one unknown, revoked or expired. */
  keyIdOfHash(keyHash: string): string | null {
    return this.#memory.keys.usableId(keyHash, this.#ports.now());
  }

  balance(): Balance {
    return {
      balance_micro_rub: this.#memory.account.balance.toString(),
      held_micro_rub: this.#memory.account.held.toString(),
      available_micro_rub: availableOf(this.#memory.account).toString(),
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
    const hold = this.#holdOf(requestId);
    return hold === null ? null : holdView(hold);
  }

  /** HELD holds, oldest first. */
  openHolds(): Hold[] {
    return [...this.#memory.openHolds.values()].map(holdView);
  }

  /** Up to `limit` holds past their expiry and still HELD. Their lanes are asked to end them; `expire` is what remains. */
  expireDue(limit: number): Hold[] {
    const now = this.#ports.now();
    const due: Hold[] = [];
    for (const hold of this.#memory.openHolds.values()) {
      if (due.length >= limit) break;
      if (now >= hold.expiresAt) due.push(holdView(hold));
    }
    return due;
  }

  /** Earliest expiry of an open hold, in milliseconds; null when none is open. */
  nextDeadline(): number | null {
    return this.#memory.nextDeadline();
  }

  /** The next messages to deliver: entries above `afterSeq` (by default the watermark), within both limits but at least one when there is any. */
  unrecorded(accountId: string, limitRows: number, limitBytes: number, afterSeq = this.#memory.recordedSeq): OutboxMessage[] {
    if (afterSeq >= this.#memory.account.seq) return [];
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
    return this.#memory.account.seq;
  }

  /** The last entry known to be in D1. */
  get recordedSeq(): number {
    return this.#memory.recordedSeq;
  }

  /**
   * All entries up to `throughSeq` are in D1. Never goes back, never past the last entry: a D1 that has more than the ledger means that
   * this ledger was restored to an earlier time, and freezes it before it writes other entries in their place.
   */
  markRecorded(throughSeq: number): void {
    const last = this.#memory.account.seq;
    const seq = Math.min(throughSeq, last);
    if (seq > this.#memory.recordedSeq) {
      this.#rows.markRecorded(seq);
      this.#memory.recordedSeq = seq;
    }
    if (throughSeq > last) this.freeze({ reason: "d1_ahead", d1_seq: throughSeq });
  }

  /** Not null: the ledger is being restored; it admits and appends nothing. */
  get frozen(): Freeze | null {
    return this.#memory.frozen;
  }

  /** Freezes the ledger until `thaw`. Gives the freeze that is in force; null where an operator let it go on without these entries. */
  freeze(command: FreezeCommand): Freeze | null {
    return freezeLedger(this.#opened, command, this.#ports.now());
  }

  /** Ends a freeze. False: entries are still missing, and `force` was not given. */
  thaw(force: boolean): boolean {
    return thawLedger(this.#opened, force);
  }

  /** Puts back entries that were written after the time this ledger was restored to. Only a frozen ledger takes them. */
  replay(entries: readonly Entry[]): ReplayResult {
    if (this.#memory.frozen === null) return { applied: 0, seq: this.lastSeq, fault: { seq: 0, reason: "the ledger is not frozen" } };
    return replayEntries(this.#opened, entries);
  }

  /** The sum of each account's postings, the house's and the customer's, as exact text. */
  postingSums(): Record<string, string> {
    return this.#rows.postingSums();
  }

  /** What reconciliation compares; count and sum are taken from the rows. */
  facts(): LedgerFacts {
    const row = this.#rows.facts();
    return {
      seq: row.seq,
      count: row.count,
      sum: row.sum,
      hash: this.#memory.account.headHash,
      balance_micro_rub: this.#memory.account.balance.toString(),
      held_micro_rub: this.#memory.account.held.toString(),
      recorded_seq: this.#memory.recordedSeq,
      open_holds: this.#memory.openHolds.size,
      incidents: row.incidents,
      blocked: isBlocked(this.#memory.account),
      frozen: this.#memory.frozen,
    };
  }

  /** Recomputes every hash and balance from `fromSeq` on, of at most `count` entries. */
  verifyChain(fromSeq = 1, count = Number.MAX_SAFE_INTEGER): ChainCheck {
    const before = this.entriesBySeq([fromSeq - 1])[0];
    if (before === undefined && fromSeq > 1) return { ok: false, seq: fromSeq - 1, reason: "entry is missing" };
    const start = { seq: fromSeq - 1, hash: before?.hash ?? "", balance: BigInt(before?.balance_after_micro_rub ?? "0") };
    return checkChain(this.#rows.eachEntryFrom(fromSeq, count), start, this.#ports.hash);
  }

  get #opened(): { storage: LedgerStorage; rows: LedgerRows; memory: LedgerMemory; hash: HashText } {
    return { storage: this.#storage, rows: this.#rows, memory: this.#memory, hash: this.#ports.hash };
  }

  #assertThawed(): void {
    if (this.#memory.frozen !== null) throw new LedgerFrozen();
  }

  #holdOf(requestId: string): HoldRow | null {
    return this.#memory.openHolds.get(requestId) ?? this.#rows.hold(requestId);
  }

  #decideAdmit(command: AdmitCommand, existing: HoldRow | null, now: number): AdmitDecision {
    const key = this.#memory.keys.ofHash(command.key_hash);
    const idempotent = key === null ? null : this.#findIdempotency(key, command.idempotency_key, now);
    const idempotentHold = idempotent === null ? null : this.#holdOf(idempotent.requestId);
    const { account, openHolds, frozen, limits } = this.#memory;
    const { owner, buckets } = limits;
    const known = { account, frozen: frozen !== null, openHolds: openHolds.size, owner, buckets };
    return decideAdmit({ ...known, key, existing, idempotent, idempotentHold }, command, now);
  }

  #findIdempotency(key: KeyState, idempotencyKey: string | null, now: number): IdempotencyRow | null {
    if (idempotencyKey === null) return null;
    const stored = this.#rows.idempotency(key.keyId, idempotencyKey);
    return stored === null || now - stored.at > LIMITS.idempotencyRetentionMilliseconds ? null : stored;
  }

  /** False when the request id was there already and nothing was written. */
  #writeAdmission(writes: AdmitWrites): boolean {
    const { hold, idempotency, buckets } = writes;
    // One statement is its own transaction; only further rows, of an `Idempotency-Key` or of rates, need another around all.
    const written =
      idempotency === null && buckets.size === 0
        ? hold === null || this.#rows.insertHold(hold)
        : this.#storage.transactionSync(() => {
            if (hold !== null && !this.#rows.insertHold(hold)) return false;
            if (hold !== null) this.#memory.limits.writeOpened(hold, buckets);
            if (idempotency !== null) this.#rows.writeIdempotency(idempotency);
            return true;
          });
    if (!written || hold === null) return written;
    this.#memory.opened(hold);
    this.#memory.counted({ buckets }, hold.createdAt);
    return true;
  }

  #endView(requestId: string): EndView {
    const hold = this.#holdOf(requestId);
    const ended = hold === null || hold.seq === null ? null : (this.entriesBySeq([hold.seq])[0] ?? null);
    return { account: this.#memory.account, hold, ended };
  }

  /** Writes what ends a request, then moves memory: the account, the open holds, the key's counters. */
  #end(view: EndView, decision: EndDecision, tokens: number, now: number): EndResult {
    const { writes, incident, result } = decision;
    if (writes === null) {
      if (incident !== null) this.#rows.insertIncident(incident, now);
      return result;
    }
    this.#assertThawed();
    const before = view.hold;
    if (before === null) throw new Error("a hold that is not there was ended");
    const spends = this.#memory.spendsAfter(before.keyId, writes.charge, now);
    const buckets = this.#memory.limits.trueUp(before, tokens, now);
    this.#storage.transactionSync(() => {
      this.#rows.endHold(before, writes.hold);
      this.#rows.insertEntry(writes.entry);
      this.#memory.limits.rows.writeSpends(spends);
      this.#memory.limits.writeEnded(before, buckets);
      if (incident !== null) this.#rows.insertIncident(incident, now);
    });
    this.#memory.ended(before, writes.account);
    this.#memory.counted({ spends, buckets }, now);
    return result;
  }

  #message(accountId: string, entry: Entry): OutboxMessage {
    const body = usageMessage(accountId, entry);
    return { seq: entry.seq, body, bytes: this.#encoder.encode(body).length };
  }
}
