/** Reads one attempt's streamed answer as canonical events, within its times. What the stream pump does for bytes, this does for events. */
import type { GatewayError } from "../../schema/error.ts";
import type { PlanAttempt } from "../../schema/plan.ts";
import type { CanonicalEvent } from "../protocol/canonical.ts";
import { PROTOCOLS } from "../protocol/index.ts";
import { createEventReader, type EventReader } from "../protocol/read-events.ts";
import type { Meter, Relay } from "../protocol/relay-contract.ts";
import { createRelay } from "../protocol/relay.ts";
import type { RuntimePorts } from "./send-attempt.ts";
import { BROKEN, IDLE, NEVER_BEGAN, TOO_LONG } from "./stream-faults.ts";
import { type Timeouts, timeoutsOf } from "./timeouts.ts";

/** Whether an answer has begun: from here on it is the caller's, and no other candidate can take its place. */
export function hasBegun({ contentSeen, finish, ended }: Pick<Meter, "contentSeen" | "finish" | "ended">): boolean {
  return contentSeen || finish !== null || ended;
}

export class AnswerReader {
  readonly meter: Readonly<Meter>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | null;
  readonly #relay: Relay;
  readonly #events: EventReader = createEventReader();
  readonly #after: RuntimePorts["after"];
  readonly #timeouts: Timeouts;
  readonly #callOffs: (() => void)[];
  #failure: GatewayError | null = null;
  #isOver = false;
  #wasLetGo = false;

  constructor(response: Response, attempt: PlanAttempt, { requestId, after }: { requestId: string; after: RuntimePorts["after"] }) {
    const upstream = PROTOCOLS[attempt.protocol];
    const context = { id: requestId, model: attempt.model, createdSeconds: 0, wantsStreamUsage: true, costMicroRub: () => null };
    this.#relay = createRelay({ upstream, caller: upstream, quirks: attempt.quirks, context, requestId, recordEvents: true });
    this.meter = this.#relay.meter;
    this.#reader = response.body?.getReader() ?? null;
    this.#after = after;
    this.#timeouts = timeoutsOf(attempt);
    this.#callOffs = [
      after(this.#timeouts.total, () => this.#fail(TOO_LONG())),
      after(this.#timeouts.firstToken, () => (hasBegun(this.meter) ? undefined : this.#fail(NEVER_BEGAN()))),
    ];
  }

  /** The events of the next piece, possibly none; null when the answer is over, or was let go of. */
  async next(): Promise<CanonicalEvent[] | null> {
    if (this.#isOver) return null;
    await this.#step();
    if (this.#wasLetGo) return null;
    return this.#events.take(this.#relay.takeEvents(), this.meter);
  }

  /** Ends the upstream call. Nothing is read after it. */
  letGo(): void {
    if (!this.#isOver) this.#wasLetGo = true;
    this.#end();
  }

  async #step(): Promise<void> {
    const idle = this.#after(this.#timeouts.idle, () => this.#fail(IDLE()));
    try {
      const { value, done } = (await this.#reader?.read()) ?? { value: undefined, done: true };
      if (!done && this.#failure === null) this.#relay.push(value);
      else this.#relay.end(this.#failure);
      if (done || this.#failure !== null || this.meter.ended || this.meter.error !== null) this.#end();
    } catch {
      this.#relay.end(this.#failure ?? BROKEN());
      this.#end();
    } finally {
      idle();
    }
  }

  #fail(error: GatewayError): void {
    this.#failure ??= error;
    this.#reader?.cancel().catch(() => undefined);
  }

  #end(): void {
    this.#isOver = true;
    for (const callOff of this.#callOffs) callOff();
    this.#reader?.cancel().catch(() => undefined);
  }
}
