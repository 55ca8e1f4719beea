/**
 * One account: its ledger, its lane 0, its outbox. The object only wires the pure steps of workers/ledger and the engine's ports to
 * storage, queue, alarm and clock; every money decision is made in the ledger's one transaction.
 */
import { DurableObject } from "cloudflare:workers";
import { createHash } from "node:crypto";
import type { KeyRow } from "../../schema/key.ts";
import type { AdmitResult, Balance, CreditResult, EndResult, Entry, Hold, LedgerFacts } from "../../schema/ledger.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { StoredRequest } from "../../schema/request.ts";
import { type AccountRpc, type ChainVerdict, type KeyCreated, RPC_TAKES, type ServeResult } from "../../schema/rpc.ts";
import { AlarmClock } from "./alarm-clock.ts";
import { expireHolds, wakeLanes } from "./expire-holds.ts";
import { GroupCommit, inTurns } from "./group-commit.ts";
import { Lane } from "./lane.ts";
import { laneName } from "./lane-name.ts";
import { type Ledger, openLedger } from "./ledger-store.ts";
import { Outbox } from "./outbox.ts";
import { received } from "./received.ts";

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
      upstream: env.UPSTREAM ?? globalThis,
      ledger: inTurns(new GroupCommit(() => this.#lane.running), {
        admit: async (command) => this.#ledger.admit(command),
        settle: async (command) => this.#awake().settle(command),
        release: async (command) => this.#awake().release(command),
      }),
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

  async serve(envelope: unknown): Promise<ServeResult> {
    const request = received(RPC_TAKES.serve, envelope);
    if (this.#lane.running >= LIMITS.streamsPerLane) return { lane: this.#nextLane() };
    this.#clock.atLatest(Date.now() + LIMITS.watchdogMilliseconds);
    return this.#lane.serve(request);
  }

  async admit(command: unknown): Promise<AdmitResult> {
    const admission = received(RPC_TAKES.admit, command);
    this.#clock.atLatest(Date.now() + LIMITS.watchdogMilliseconds);
    return this.#ledger.admit(admission);
  }

  async settle(command: unknown): Promise<EndResult> {
    return this.#awake().settle(received(RPC_TAKES.settle, command));
  }

  async release(command: unknown): Promise<EndResult> {
    return this.#awake().release(received(RPC_TAKES.release, command));
  }

  async credit(command: unknown): Promise<CreditResult> {
    return this.#awake().credit(received(RPC_TAKES.credit, command));
  }

  async createKey(command: unknown): Promise<KeyCreated> {
    return this.#ledger.createKey(received(RPC_TAKES.createKey, command));
  }

  async revokeKey(keyId: unknown): Promise<boolean> {
    return this.#ledger.revokeKey(received(RPC_TAKES.name, keyId));
  }

  async listKeys(): Promise<KeyRow[]> {
    return this.#ledger.keys();
  }

  async keyIdOfHash(keyHash: unknown): Promise<string | null> {
    return this.#ledger.keyIdOfHash(received(RPC_TAKES.name, keyHash));
  }

  async balance(): Promise<Balance> {
    return this.#ledger.balance();
  }

  async ledger(afterSeq: unknown, limitRows: unknown): Promise<Entry[]> {
    return this.#ledger.entries(received(RPC_TAKES.count, afterSeq), received(RPC_TAKES.count, limitRows));
  }

  async facts(): Promise<LedgerFacts> {
    return this.#ledger.facts();
  }

  async verifyChain(): Promise<ChainVerdict> {
    return this.#ledger.verifyChain();
  }

  async recorded(throughSeq: unknown): Promise<void> {
    this.#ledger.markRecorded(received(RPC_TAKES.count, throughSeq));
  }

  async messages(seqs: unknown): Promise<string[]> {
    return this.#ledger.resend(this.ctx.id.name ?? "", received(RPC_TAKES.seqs, seqs)).map((message) => message.body);
  }

  async watermark(): Promise<{ seq: number; recorded_seq: number }> {
    return { seq: this.#ledger.lastSeq, recorded_seq: this.#ledger.recordedSeq };
  }

  async openHolds(): Promise<Hold[]> {
    return this.#ledger.openHolds().toReversed();
  }

  async entryOf(requestId: unknown): Promise<{ entry: Entry; recorded: boolean } | null> {
    const seq = this.#ledger.hold(received(RPC_TAKES.name, requestId))?.seq ?? null;
    const entry = seq === null ? undefined : this.#ledger.entriesBySeq([seq])[0];
    return entry === undefined ? null : { entry, recorded: entry.seq <= this.#ledger.recordedSeq };
  }

  async request(requestId: unknown): Promise<StoredRequest | null> {
    return this.#lane.stored(received(RPC_TAKES.name, requestId));
  }

  async events(requestId: unknown, afterSeq: unknown): Promise<ReadableStream<Uint8Array> | null> {
    return this.#lane.events(received(RPC_TAKES.name, requestId), received(RPC_TAKES.count, afterSeq));
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

  /** The ledger, for a call that may add an entry: its delivery and its watchdog are armed in the same turn. */
  #awake(): Ledger {
    this.#outbox.schedule();
    this.#clock.atLatest(Date.now() + LIMITS.watchdogMilliseconds);
    return this.#ledger;
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
