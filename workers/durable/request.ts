/** A further lane of an account, named `account:lane`: owns requests like lane 0, with the ledger one call away. */
import { DurableObject } from "cloudflare:workers";
import { LIMITS } from "../../schema/limits.ts";
import type { ServeEnvelope } from "../../schema/plan.ts";
import type { StoredRequest } from "../../schema/request.ts";
import type { AccountRpc, LaneRpc, ServeResult } from "../../schema/rpc.ts";
import { AlarmClock } from "./alarm-clock.ts";
import { Lane } from "./lane.ts";
import { laneName } from "./lane-name.ts";

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
    const account = (): Pick<AccountRpc, "admit" | "settle" | "release" | "openHolds"> =>
      env.ACCOUNT.get(env.ACCOUNT.idFromName(accountId));
    this.#clock = new AlarmClock(context.storage);
    this.#lane = new Lane({
      name: laneName(this.#number),
      context,
      ledger: {
        admit: (command) => account().admit(command),
        settle: (command) => account().settle(command),
        release: (command) => account().release(command),
      },
      ledgerIsLocal: false,
      openHolds: () => account().openHolds(),
    });
    void context.blockConcurrencyWhile(() => this.#clock.load());
    context.waitUntil(this.#recoverQuietly());
  }

  async serve(envelope: ServeEnvelope): Promise<ServeResult> {
    if (this.#lane.running >= LIMITS.streamsPerLane) return { lane: (this.#number % (LIMITS.lanesPerAccount - 1)) + 1 };
    this.#clock.atLatest(Date.now() + LIMITS.watchdogMilliseconds);
    return this.#lane.serve(envelope);
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

  /** Never throws: an alarm that throws too often is dropped. */
  override async alarm(): Promise<void> {
    this.#clock.fired();
    await this.#recoverQuietly();
    this.#lane.rows.prune();
    if (this.#lane.running > 0) this.#clock.atLatest(Date.now() + LIMITS.watchdogMilliseconds);
  }

  async #recoverQuietly(): Promise<void> {
    await this.#lane.recover().catch((error: unknown) => console.error("orphaned requests wait for the next alarm", error));
  }
}
