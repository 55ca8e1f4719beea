/**
 * The ledger's side of an account's object: every call about its money, each one synchronous step of the ledger behind its schema. What
 * runs requests, alarms and deliveries is beside it (account.ts). Whatever is no call over RPC is a field here and no method: the platform
 * offers every method of an object's class to its callers.
 */
import { DurableObject } from "cloudflare:workers";
import { createHash } from "node:crypto";
import type { KeyRow } from "../../schema/key.ts";
import type {
  AdmitCommand,
  AdmitResult,
  Balance,
  CreditResult,
  EndResult,
  Entry,
  ExtendResult,
  Freeze,
  Hold,
  LedgerFacts,
  ReplayResult,
  TrueUpResult,
} from "../../schema/ledger.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { AccountLimitsView } from "../../schema/rate.ts";
import { type ChainVerdict, type KeyCreated, type LedgerPage, type LedgerRpc, RPC_TAKES } from "../../schema/rpc.ts";
import { AlarmClock } from "./alarm-clock.ts";
import { type Ledger, openLedger } from "./ledger-store.ts";
import { NoticeRows } from "./notice-rows.ts";
import { Notices } from "./notices.ts";
import { Outbox } from "./outbox.ts";
import { received } from "./received.ts";
import { RestoreCheck } from "./restore-check.ts";

export abstract class LedgerObject extends DurableObject<Env> implements LedgerRpc {
  protected readonly book: Ledger;
  protected readonly clock: AlarmClock;
  protected readonly outbox: Outbox;
  protected readonly accountId: string;
  protected readonly notices: Notices;
  /** Admission, with what a refusal has to tell. */
  protected readonly admission: (command: AdmitCommand) => AdmitResult;
  /** The ledger, for a call that may add an entry: its delivery and its watchdog are armed in the same turn. */
  protected readonly awake: () => Ledger;
  protected readonly restoreCheck: RestoreCheck;
  /** The same, for a call that writes an entry: as far as D1 can tell, this is no earlier state of the ledger. */
  protected readonly current: () => Promise<Ledger>;

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    this.accountId = context.id.name ?? "";
    this.book = openLedger(context.storage, {
      now: () => Date.now(),
      hash: (text) => createHash("sha256").update(text).digest("hex"),
    });
    this.clock = new AlarmClock(context.storage);
    this.outbox = new Outbox({
      accountId: this.accountId,
      ledger: this.book,
      queue: env.USAGE_QUEUE,
      keepAlive: (work) => context.waitUntil(work),
    });
    this.notices = new Notices({
      accountId: this.accountId,
      rows: new NoticeRows(context.storage.sql),
      queue: env.WEBHOOK_QUEUE,
      keepAlive: (work) => context.waitUntil(work),
      now: () => Date.now(),
    });
    this.admission = (command) => {
      const result = this.book.admit(command);
      this.notices.note(result);
      return result;
    };
    this.awake = () => {
      this.outbox.schedule();
      this.clock.atLatest(Date.now() + LIMITS.watchdogMilliseconds);
      return this.book;
    };
    this.restoreCheck = new RestoreCheck(this.accountId, this.book, env);
    this.current = () => this.restoreCheck.asked().then(this.awake);
  }

  async admit(command: unknown): Promise<AdmitResult> {
    const admission = received(RPC_TAKES.admit, command);
    this.clock.atLatest(Date.now() + LIMITS.watchdogMilliseconds);
    return this.admission(admission);
  }

  async settle(command: unknown): Promise<EndResult> {
    return (await this.current()).settle(received(RPC_TAKES.settle, command));
  }

  async release(command: unknown): Promise<EndResult> {
    return (await this.current()).release(received(RPC_TAKES.release, command));
  }

  async extend(command: unknown): Promise<ExtendResult> {
    return this.book.extend(received(RPC_TAKES.extend, command));
  }

  async credit(command: unknown): Promise<CreditResult> {
    return (await this.current()).credit(received(RPC_TAKES.credit, command));
  }

  async trueUp(command: unknown): Promise<TrueUpResult> {
    return (await this.current()).trueUp(received(RPC_TAKES.trueUp, command));
  }

  async createKey(command: unknown): Promise<KeyCreated> {
    return this.book.createKey(received(RPC_TAKES.createKey, command));
  }

  async revokeKey(keyId: unknown): Promise<boolean> {
    return this.book.revokeKey(received(RPC_TAKES.name, keyId));
  }

  async listKeys(): Promise<KeyRow[]> {
    return this.book.keys();
  }

  async changeKey(command: unknown): Promise<KeyRow | null> {
    return this.book.limits.changeKey(received(RPC_TAKES.changeKey, command));
  }

  async limits(): Promise<AccountLimitsView> {
    return this.book.limits.account();
  }

  async changeLimits(patch: unknown): Promise<AccountLimitsView> {
    return this.book.limits.changeAccount(received(RPC_TAKES.limits, patch));
  }

  async keyIdOfHash(keyHash: unknown): Promise<string | null> {
    return this.book.keyIdOfHash(received(RPC_TAKES.name, keyHash));
  }

  async balance(): Promise<Balance> {
    return this.book.balance();
  }

  async ledger(afterSeq: unknown, limitRows: unknown): Promise<Entry[]> {
    return this.book.entries(received(RPC_TAKES.count, afterSeq), received(RPC_TAKES.count, limitRows));
  }

  async page(afterSeq: unknown, limitRows: unknown): Promise<LedgerPage> {
    const after = received(RPC_TAKES.count, afterSeq);
    const entries = this.book.entries(after, received(RPC_TAKES.count, limitRows));
    return { entries, chain: this.book.verifyChain(after + 1, entries.length) };
  }

  async facts(): Promise<LedgerFacts> {
    return this.book.facts();
  }

  async postingSums(): Promise<Record<string, string>> {
    return this.book.postingSums();
  }

  async verifyChain(): Promise<ChainVerdict> {
    return this.book.verifyChain();
  }

  async recorded(throughSeq: unknown): Promise<void> {
    this.book.markRecorded(received(RPC_TAKES.count, throughSeq));
  }

  async messages(seqs: unknown): Promise<string[]> {
    return this.book.resend(this.accountId, received(RPC_TAKES.seqs, seqs)).map((message) => message.body);
  }

  async watermark(): Promise<{ seq: number; recorded_seq: number }> {
    return { seq: this.book.lastSeq, recorded_seq: this.book.recordedSeq };
  }

  async openHolds(): Promise<Hold[]> {
    return this.book.openHolds().toReversed();
  }

  async hold(requestId: unknown): Promise<Hold | null> {
    return this.book.hold(received(RPC_TAKES.name, requestId));
  }

  async entryOf(requestId: unknown): Promise<{ entry: Entry; recorded: boolean } | null> {
    const seq = this.book.hold(received(RPC_TAKES.name, requestId))?.seq ?? null;
    const entry = seq === null ? undefined : this.book.entriesBySeq([seq])[0];
    return entry === undefined ? null : { entry, recorded: entry.seq <= this.book.recordedSeq };
  }

  async freeze(command: unknown): Promise<Freeze | null> {
    return this.book.freeze(received(RPC_TAKES.freeze, command));
  }

  async replay(entries: unknown): Promise<ReplayResult> {
    return this.awake().replay(received(RPC_TAKES.entries, entries));
  }

  async thaw(force: unknown): Promise<boolean> {
    return this.awake().thaw(received(RPC_TAKES.yes, force));
  }
}
