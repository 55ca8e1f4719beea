/**
 * One account: its ledger, its lane 0, its outbox. The object only wires the pure steps of workers/ledger and the engine's ports to
 * storage, queue, alarm and clock; every money decision is made in the ledger's one transaction.
 */
import { LIMITS } from "../../schema/limits.ts";
import type { ServeEnvelope } from "../../schema/plan.ts";
import type { StoredRequest } from "../../schema/request.ts";
import type { AddressView, RoutedRequest, RoutingFacts } from "../../schema/routing.ts";
import { type AccountRpc, RPC_TAKES, type ServeResult } from "../../schema/rpc.ts";
import { expireHolds, wakeLanes } from "./expire-holds.ts";
import { GroupCommit, inTurns } from "./group-commit.ts";
import { Lane } from "./lane.ts";
import { laneName } from "./lane-name.ts";
import { liveStates } from "./live-state.ts";
import { Onlookers } from "./onlookers.ts";
import { LedgerObject } from "./ledger-object.ts";
import { Pins } from "./pins.ts";
import { received } from "./received.ts";
import { conversationsOf } from "./conversation-port.ts";
import { recordingsOf } from "./recording-port.ts";

export class AccountDO extends LedgerObject implements AccountRpc {
  readonly #lane: Lane;
  readonly #pins = new Pins(() => Date.now());
  readonly #onlookers: Onlookers;
  /** The further lane that the last overflow was sent to. */
  #lastLane = 0;

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    this.#lane = new Lane({
      name: laneName(0),
      context,
      upstream: env.UPSTREAM ?? globalThis,
      conversations: conversationsOf(env),
      recordings: recordingsOf(env),
      ledger: inTurns(new GroupCommit(() => this.#lane.running), {
        admit: async (command) => this.admission(command),
        settle: async (command) => (await this.current()).settle(command),
        release: async (command) => (await this.current()).release(command),
        extend: async (command) => this.book.extend(command),
      }),
      ledgerIsLocal: true,
      openHolds: async () => this.book.openHolds(),
    });
    const lane = this.#lane;
    const state = liveStates(this.book, (id) => lane.stored(id));
    this.#onlookers = new Onlookers({ state, now: () => Date.now(), keepAlive: (work) => context.waitUntil(work) });
    // Requests of a life before this one have no owner: they end before anything else is let in, and after it is known that this is the
    // latest of this ledger's lives.
    void context.blockConcurrencyWhile(async () => {
      await this.clock.load();
      const asked = this.restoreCheck.asked();
      if (this.book.openHolds().length > 0) await asked;
      await this.#lane.recover();
    });
    this.outbox.schedule();
  }

  async serve(envelope: unknown): Promise<ServeResult> {
    const request = received(RPC_TAKES.serve, envelope);
    if (this.#lane.running >= LIMITS.streamsPerLane) {
      this.#pin(request.plan, request.plan.model);
      return { lane: this.#nextLane() };
    }
    this.clock.atLatest(Date.now() + LIMITS.watchdogMilliseconds);
    const served = await this.#lane.serve(request);
    if (served instanceof Response && served.ok) this.#pin(request.plan, served.headers.get("x-plyrum-model"));
    return served;
  }

  async routingFacts(question: unknown): Promise<RoutingFacts> {
    const { addresses, conversation, key_hash } = received(RPC_TAKES.routing, question);
    return {
      addresses: addresses.map((address) => this.#lane.look(address)),
      pin: this.#pins.of(conversation),
      allowed_models: this.book.limits.allowedModels(key_hash),
    };
  }

  async addresses(): Promise<AddressView[]> {
    return this.#lane.addresses();
  }

  async decisions(): Promise<RoutedRequest[]> {
    return this.#lane.decisions();
  }

  async live(question: unknown): Promise<ReadableStream<Uint8Array> | null> {
    return this.#onlookers.open(received(RPC_TAKES.live, question));
  }

  async pinConversation(command: unknown): Promise<void> {
    const { conversation, ...pin } = received(RPC_TAKES.pin, command);
    this.#pins.note(conversation, pin);
  }

  /** A routed conversation stays with the model that answered it. */
  #pin({ routing_snapshot: decision }: ServeEnvelope["plan"], model: string | null): void {
    if (decision === undefined || model === null) return;
    const { conversation, route, prompt } = decision;
    this.#pins.note(conversation, { model: decodeURI(model), route, level: prompt.difficulty.level });
  }

  async request(requestId: unknown): Promise<StoredRequest | null> {
    return this.#lane.stored(received(RPC_TAKES.name, requestId));
  }

  async events(requestId: unknown, afterSeq: unknown): Promise<ReadableStream<Uint8Array> | null> {
    return this.#lane.events(received(RPC_TAKES.name, requestId), received(RPC_TAKES.count, afterSeq));
  }

  async resume(requestId: unknown, after: unknown): Promise<Response | null> {
    return this.#lane.resume(received(RPC_TAKES.name, requestId), received(RPC_TAKES.place, after));
  }

  async cancel(requestId: unknown): Promise<boolean> {
    return this.#lane.cancel(received(RPC_TAKES.name, requestId));
  }

  async recover(): Promise<number> {
    return this.#lane.recover();
  }

  async kick(): Promise<void> {
    await this.restoreCheck.run();
    await this.#lane.recover();
    await wakeLanes(this.book.openHolds(), this.accountId, this.env);
    if (this.book.frozen === null) await expireHolds(this.book, this.accountId, this.env);
    await this.outbox.flush();
    await this.notices.flush();
    this.#lane.prune();
    this.#arm();
  }

  /** Never throws: an alarm that throws too often is dropped, and with it every promise of this object. */
  override async alarm(): Promise<void> {
    this.clock.fired();
    try {
      await this.kick();
    } catch (error) {
      console.error("an account's alarm failed and is armed again", error);
    }
    this.#arm();
  }

  #arm(): void {
    const busy = this.#lane.running > 0 || !this.outbox.empty || this.book.openHolds().length > 0;
    if (busy) this.clock.atLatest(Date.now() + LIMITS.watchdogMilliseconds);
    const { pruneAt } = this.#lane;
    if (pruneAt !== null) this.clock.atLatest(Math.max(pruneAt, Date.now() + LIMITS.watchdogMilliseconds));
  }

  /** Further lanes in turn; the lane itself refuses when it too is full, and the Worker asks again. */
  #nextLane(): number {
    this.#lastLane = (this.#lastLane % (LIMITS.lanesPerAccount - 1)) + 1;
    return this.#lastLane;
  }
}
