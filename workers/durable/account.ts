/**
 * One account: its ledger, its lane 0, its outbox. The object only wires the pure steps of workers/ledger and the engine's ports to
 * storage, queue, alarm and clock; every money decision is made in the ledger's one transaction.
 */
import { DurableObject } from "cloudflare:workers";
import { createHash } from "node:crypto";
import type { CreateKeyCommand, KeyRow } from "../../schema/key.ts";
import type {
  AdmitCommand,
  AdmitResult,
  Balance,
  CreditCommand,
  CreditResult,
  EndResult,
  Entry,
  Hold,
  LedgerFacts,
  ReleaseCommand,
  SettleCommand,
} from "../../schema/ledger.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { ServeEnvelope } from "../../schema/plan.ts";
import type { StoredRequest } from "../../schema/request.ts";
import type { AccountRpc, ChainVerdict, KeyCreated, ServeResult } from "../../schema/rpc.ts";
import { AlarmClock } from "./alarm-clock.ts";
import { expireHolds, wakeLanes } from "./expire-holds.ts";
import { GroupCommit, inTurns } from "./group-commit.ts";
import { Lane } from "./lane.ts";
import { laneName } from "./lane-name.ts";
import { type Ledger, openLedger } from "./ledger-store.ts";
import { Outbox } from "./outbox.ts";

export class AccountDO extends DurableObject<Env> implements AccountRpc {
  readonly #ledger: Ledger;
  readonly #lane: Lane;
  readonly #outbox: Outbox;
  readonly #clock: AlarmClock;
  /** The further lane that the last overflow was sent to. */
  #lastLane = 0;

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    this.#ledger = openLedger(context.storage, {
      now: () => Date.now(),
      hash: (text) => createHash("sha256").update(text).digest("hex"),
    });
    this.#clock = new AlarmClock(context.storage);
    this.#outbox = new Outbox({
      accountId: context.id.name ?? "",
      ledger: this.#ledger,
      queue: env.USAGE_QUEUE,
      keepAlive: (work) => context.waitUntil(work),
    });
    this.#lane = new Lane({
      name: laneName(0),
      context,
      ledger: inTurns(new GroupCommit(() => this.#lane.running), this),
      ledgerIsLocal: true,
      openHolds: async () => this.#ledger.openHolds(),
    });
    // Requests of a life before this one have no owner: they end before anything else is let in.
    void context.blockConcurrencyWhile(async () => {
      await this.#clock.load();
      await this.#lane.recover();
    });
    this.#outbox.schedule();
  }

  async serve(envelope: ServeEnvelope): Promise<ServeResult> {
    if (this.#lane.running >= LIMITS.streamsPerLane) return { lane: this.#nextLane() };
    this.#clock.atLatest(Date.now() + LIMITS.watchdogMilliseconds);
    return this.#lane.serve(envelope);
  }

  async admit(command: AdmitCommand): Promise<AdmitResult> {
    this.#clock.atLatest(Date.now() + LIMITS.watchdogMilliseconds);
    return this.#ledger.admit(command);
  }

  async settle(command: SettleCommand): Promise<EndResult> {
    this.#wake();
    return this.#ledger.settle(command);
  }

  async release(command: ReleaseCommand): Promise<EndResult> {
    this.#wake();
    return this.#ledger.release(command);
  }

  async credit(command: CreditCommand): Promise<CreditResult> {
    const result = this.#ledger.credit(command);
    this.#wake();
    return result;
  }

  async createKey(command: CreateKeyCommand): Promise<KeyCreated> {
    return this.#ledger.createKey(command);
  }

  async revokeKey(keyId: string): Promise<boolean> {
    return this.#ledger.revokeKey(keyId);
  }

  async listKeys(): Promise<KeyRow[]> {
    return this.#ledger.keys();
  }

  async keyIdOfHash(keyHash: string): Promise<string | null> {
    return this.#ledger.keyIdOfHash(keyHash);
  }

  async balance(): Promise<Balance> {
    return this.#ledger.balance();
  }

  async ledger(afterSeq: number, limitRows: number): Promise<Entry[]> {
    return this.#ledger.entries(afterSeq, limitRows);
  }

  async facts(): Promise<LedgerFacts> {
    return this.#ledger.facts();
  }

  async verifyChain(): Promise<ChainVerdict> {
    return this.#ledger.verifyChain();
  }

  async recorded(throughSeq: number): Promise<void> {
    this.#ledger.markRecorded(throughSeq);
  }

  async messages(seqs: number[]): Promise<string[]> {
    return this.#ledger.resend(this.ctx.id.name ?? "", seqs).map((message) => message.body);
  }

  async watermark(): Promise<{ seq: number; recorded_seq: number }> {
    return { seq: this.#ledger.lastSeq, recorded_seq: this.#ledger.recordedSeq };
  }

  async openHolds(): Promise<Hold[]> {
    return this.#ledger.openHolds().toReversed();
  }

  async entryOf(requestId: string): Promise<{ entry: Entry; recorded: boolean } | null> {
    const seq = this.#ledger.hold(requestId)?.seq ?? null;
    const entry = seq === null ? undefined : this.#ledger.entriesBySeq([seq])[0];
    return entry === undefined ? null : { entry, recorded: entry.seq <= this.#ledger.recordedSeq };
  }

  async request(requestId: string): Promise<StoredRequest | null> {
    return this.#lane.stored(requestId);
  }

  async events(requestId: string, afterSeq: number): Promise<ReadableStream<Uint8Array> | null> {
    return this.#lane.events(requestId, afterSeq);
  }

  async recover(): Promise<number> {
    return this.#lane.recover();
  }

  async kick(): Promise<void> {
    await this.#lane.recover();
    await wakeLanes(this.#ledger.openHolds(), this.ctx.id.name ?? "", this.env);
    await expireHolds(this.#ledger, this.ctx.id.name ?? "", this.env);
    await this.#outbox.flush();
    this.#lane.rows.prune();
    this.#arm();
  }

  /** Never throws: an alarm that throws too often is dropped, and with it every promise of this object. */
  override async alarm(): Promise<void> {
    this.#clock.fired();
    try {
      await this.kick();
    } catch (error) {
      console.error("an account's alarm failed and is armed again", error);
    }
    this.#arm();
  }

  #wake(): void {
    this.#outbox.schedule();
    this.#clock.atLatest(Date.now() + LIMITS.watchdogMilliseconds);
  }

  #arm(): void {
    const busy = this.#lane.running > 0 || !this.#outbox.empty || this.#ledger.openHolds().length > 0;
    if (busy) this.#clock.atLatest(Date.now() + LIMITS.watchdogMilliseconds);
  }

  /** Further lanes in turn; the lane itself refuses when it too is full, and the Worker asks again. */
  #nextLane(): number {
    this.#lastLane = (this.#lastLane % (LIMITS.lanesPerAccount - 1)) + 1;
    return this.#lastLane;
  }
}
