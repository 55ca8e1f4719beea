/** A further lane of an account, named `account:lane`: owns requests like lane 0, with the ledger one call away. */
import { DurableObject } from "cloudflare:workers";
import { z } from "zod";
import { admitResultSchema, endResultSchema, extendResultSchema, holdSchema } from "../../schema/ledger.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { StoredRequest } from "../../schema/request.ts";
import { type AccountRpc, type LaneRpc, RPC_TAKES, type ServeResult } from "../../schema/rpc.ts";
import { AlarmClock } from "./alarm-clock.ts";
import { Lane } from "./lane.ts";
import { laneName } from "./lane-name.ts";
import { received } from "./received.ts";
import { conversationsOf } from "./conversation-port.ts";
import { recordingsOf } from "./recording-port.ts";

const holdsSchema = z.array(holdSchema);

export class RequestDO extends DurableObject<Env> implements LaneRpc {
  readonly #lane: Lane;
  readonly #clock: AlarmClock;
  readonly #number: number;

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    const name = context.id.name ?? "";
    const accountId = name.slice(0, name.lastIndexOf(":"));
    this.#number = Number(name.slice(name.lastIndexOf(":") + 1));
    // A stub that has thrown once stays broken, so each call takes a new one.
    const account = (): Pick<AccountRpc, "admit" | "settle" | "release" | "extend" | "openHolds"> =>
      env.ACCOUNT.get(env.ACCOUNT.idFromName(accountId));
    this.#clock = new AlarmClock(context.storage);
    this.#lane = new Lane({
      name: laneName(this.#number),
      context,
      upstream: env.UPSTREAM ?? globalThis,
      conversations: conversationsOf(env),
      recordings: recordingsOf(env),
      ledger: {
        admit: async (command) => received(admitResultSchema, await account().admit(command)),
        settle: async (command) => received(endResultSchema, await account().settle(command)),
        release: async (command) => received(endResultSchema, await account().release(command)),
        extend: async (command) => received(extendResultSchema, await account().extend(command)),
      },
      ledgerIsLocal: false,
      openHolds: async () => received(holdsSchema, await account().openHolds()),
    });
    void context.blockConcurrencyWhile(() => this.#clock.load());
    context.waitUntil(this.#recoverQuietly());
  }

  async serve(envelope: unknown): Promise<ServeResult> {
    const request = received(RPC_TAKES.serve, envelope);
    if (this.#lane.running >= LIMITS.streamsPerLane) return { lane: (this.#number % (LIMITS.lanesPerAccount - 1)) + 1 };
    this.#clock.atLatest(Date.now() + LIMITS.watchdogMilliseconds);
    return this.#lane.serve(request);
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

  /** Never throws: an alarm that throws too often is dropped. */
  override async alarm(): Promise<void> {
    this.#clock.fired();
    await this.#recoverQuietly();
    this.#lane.prune();
    if (this.#lane.running > 0) this.#clock.atLatest(Date.now() + LIMITS.watchdogMilliseconds);
    const { pruneAt } = this.#lane;
    if (pruneAt !== null) this.#clock.atLatest(Math.max(pruneAt, Date.now() + LIMITS.watchdogMilliseconds));
  }

  async #recoverQuietly(): Promise<void> {
    await this.#lane.recover().catch((error: unknown) => console.error("orphaned requests wait for the next alarm", error));
  }
}
