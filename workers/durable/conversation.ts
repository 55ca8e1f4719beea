/**
 * One account's conversations: the kept answers of its Responses calls. An object of its own, so that no reading or writing of them waits for
 * money or the other way round; and of its account alone, so that nothing in it can be another's.
 */
import { DurableObject } from "cloudflare:workers";
import {
  type ConversationRpc,
  type FoundResponse,
  type KeptItem,
  keptResponseSchema,
  type StateAnswer,
  stateQuestionSchema,
} from "../../schema/conversation.ts";
import { LIMITS } from "../../schema/limits.ts";
import { RPC_TAKES } from "../../schema/rpc.ts";
import { AlarmClock } from "./alarm-clock.ts";
import { ConversationRows } from "./conversation-rows.ts";
import { received } from "./received.ts";

export class ConversationDO extends DurableObject<Env> implements ConversationRpc {
  readonly #rows: ConversationRows;
  readonly #clock: AlarmClock;

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    this.#rows = new ConversationRows(context.storage.sql, () => Date.now());
    this.#clock = new AlarmClock(context.storage);
    void context.blockConcurrencyWhile(() => this.#clock.load());
  }

  async keep(response: unknown): Promise<void> {
    const kept = received(keptResponseSchema, response);
    this.ctx.storage.transactionSync(() => this.#rows.keep(kept));
    this.#clock.atLatest(Date.now() + LIMITS.conversationRetentionMilliseconds + LIMITS.conversationSweepMilliseconds);
  }

  async find(id: unknown): Promise<FoundResponse | null> {
    return this.#rows.find(received(RPC_TAKES.name, id));
  }

  async remove(id: unknown): Promise<boolean> {
    return this.#rows.remove(received(RPC_TAKES.name, id));
  }

  async resolve(question: unknown): Promise<StateAnswer> {
    return this.#rows.resolve(received(stateQuestionSchema, question));
  }

  async inputOf(id: unknown): Promise<KeptItem[] | null> {
    return this.#rows.inputOf(received(RPC_TAKES.name, id));
  }

  /** Never throws: an alarm that throws too often is dropped. */
  override async alarm(): Promise<void> {
    this.#clock.fired();
    try {
      const next = this.#rows.sweep();
      if (next !== null) this.#clock.atLatest(Math.max(next, Date.now()) + LIMITS.conversationSweepMilliseconds);
    } catch (error) {
      console.error("conversations past their time wait for the next alarm", error);
      this.#clock.atLatest(Date.now() + LIMITS.conversationSweepMilliseconds);
    }
  }
}
