/**
 * A lane of an account as far as money goes: it admits a request, stores that it was dispatched, and settles it when the upstream has ended,
 * again and again until that lands. Its rows outlive it; after a crash it ends what nobody runs, as workers/durable/lane.ts does. How a
 * request ends and what that costs is the product's own decision (`ledgerEnd`).
 */
import { z } from "zod";
import { admitResultSchema, holdSchema, type AdmitCommand } from "../../schema/ledger.ts";
import type { Finished, LedgerEnd } from "../../workers/engine/settle-request.ts";
import { type Callee, remoteCall } from "./network.ts";
import type { Life } from "./object-host.ts";
import type { Product } from "./product.ts";
import type { Schedule } from "./schedule.ts";

export interface LaneWiring {
  name: string;
  lane: string;
  schedule: Schedule;
  product: () => Product;
  account: Callee;
  /** How a request nobody heard of again ends. */
  orphaned: (requestId: string) => Finished;
  /** Each call that may be repeated later, word for word. */
  sent: (method: string, command: object) => void;
}

const holdsSchema = z.array(holdSchema);
const PAUSE_MAX = 60_000;

export class LaneHost implements Callee {
  readonly name: string;
  /** Rows: a request that was dispatched, and how it ended once that is known. */
  readonly rows = new Map<string, { end: LedgerEnd | null; isDone: boolean }>();
  crashes = 0;
  readonly #wiring: LaneWiring;
  readonly #served = new Set<string>();
  #running = new Set<string>();
  #generation = 0;

  constructor(wiring: LaneWiring) {
    this.name = wiring.name;
    this.#wiring = wiring;
  }

  async call(method: string): Promise<unknown> {
    if (method !== "recover") throw new TypeError(`a lane has no method ${method}`);
    return this.#recover();
  }

  /** Requests that run here and whose upstream has not ended. */
  waiting(): string[] {
    return [...this.#running].filter((id) => this.rows.get(id)?.end === null);
  }

  crash(): void {
    this.#generation += 1;
    this.#running = new Set();
    this.crashes += 1;
  }

  /** Admits a request. One that is refused, or whose answer is lost, is not dispatched. */
  async serve(command: AdmitCommand): Promise<void> {
    const id = command.request_id;
    if (this.#served.has(id)) return;
    this.#served.add(id);
    const running = this.#running;
    running.add(id);
    try {
      const admitted = admitResultSchema.parse(await this.#call("admit", command));
      if (admitted.ok && admitted.replay === null) this.rows.set(id, { end: null, isDone: false });
      else running.delete(id);
    } catch {
      running.delete(id);
    }
  }

  /** The upstream of a request has ended. Nothing happens where it does not run here. */
  finish(id: string, finished: Finished): void {
    const row = this.rows.get(id);
    if (row === undefined || row.end !== null || !this.#running.has(id)) return;
    row.end = this.#wiring.product().ledgerEnd(finished);
    void this.#untilEnded(id, this.#generation);
  }

  async #untilEnded(id: string, generation: number): Promise<void> {
    const { schedule } = this.#wiring;
    for (let pause = 50; generation === this.#generation; pause = Math.min(pause * 2, PAUSE_MAX)) {
      if (await this.#endOnce(id)) return;
      await new Promise<void>((resolve) => schedule.push("timer", resolve, { due: schedule.now + pause }));
    }
  }

  /** False: it did not land. */
  async #endOnce(id: string): Promise<boolean> {
    const row = this.rows.get(id);
    if (row === undefined || row.end === null) return true;
    const { end } = row;
    try {
      if (end.kind === "settle") await this.#call("settle", { request_id: id, facts: end.facts, record: end.record });
      else await this.#call("release", { request_id: id, reason: end.reason, record: end.record });
    } catch {
      return false;
    }
    row.isDone = true;
    this.#running.delete(id);
    return true;
  }

  async #recover(): Promise<number> {
    const holds = holdsSchema.parse(await this.#call("openHolds", null));
    let recovered = 0;
    for (const hold of holds) {
      const id = hold.request_id;
      if (hold.lane !== this.#wiring.lane || this.#running.has(id)) continue;
      const row = this.rows.get(id);
      if (row === undefined) {
        await this.#call("release", { request_id: id, reason: "not_dispatched", record: null }).catch(() => null);
      } else {
        row.end ??= this.#wiring.product().ledgerEnd(this.#wiring.orphaned(id));
        await this.#endOnce(id);
      }
      recovered += 1;
    }
    return recovered;
  }

  #call(method: string, command: object | null): Promise<unknown> {
    const { schedule, account, sent } = this.#wiring;
    const generation = this.#generation;
    const life: Life = { wake: () => generation === this.#generation };
    if (command !== null) sent(method, command);
    return remoteCall(schedule, life, account, method, command === null ? [] : [command]);
  }
}
