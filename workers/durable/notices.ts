/**
 * What an account tells that is no entry of its ledger: a limit that refuses a key, a balance that covers no request any more. Told once
 * a minute for each cause however often it refuses, so that a crowd at a closed door writes nothing and sends nothing.
 */
import type { AdmitResult, Refusal } from "../../schema/ledger.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { Notice, WebhookMessage } from "../../schema/webhook.ts";
import type { NoticeRows } from "./notice-rows.ts";

const NOTICES_PER_BATCH = 100;

export interface NoticeWiring {
  accountId: string;
  rows: NoticeRows;
  queue: Queue;
  keepAlive: (work: Promise<unknown>) => void;
  now: () => number;
}

export class Notices {
  readonly #wiring: NoticeWiring;
  /** When each cause was told of last. Bounded; the oldest goes first. */
  readonly #told = new Map<string, number>();
  #flushing: Promise<void> | null = null;

  constructor(wiring: NoticeWiring) {
    this.#wiring = wiring;
  }

  /** Takes note of a refusal that somebody should know of. */
  note(result: AdmitResult): void {
    if (result.ok || result.key_id === null) return;
    const notice = this.#noticeOf(result);
    if (notice === null) return;
    this.#wiring.rows.add(notice);
    this.#wiring.keepAlive(this.flush());
  }

  /** Sends what waits. Never throws: what the queue does not take waits for the next time. */
  async flush(): Promise<void> {
    this.#flushing ??= this.#send().finally(() => (this.#flushing = null));
    await this.#flushing;
  }

  #noticeOf(refusal: Refusal): Notice | null {
    const { accountId, now } = this.#wiring;
    const at = now();
    const isLimit = refusal.code === "rate_limited";
    if (!isLimit && refusal.code !== "insufficient_balance") return null;
    const cause = isLimit ? `${refusal.key_id} ${refusal.scope} ${refusal.reason} ${refusal.limit}` : "balance";
    if (at - (this.#told.get(cause) ?? 0) < LIMITS.noticeAgainMilliseconds) return null;
    if (this.#told.size >= LIMITS.noticeKeysRemembered) this.#told.delete(this.#told.keys().next().value ?? "");
    this.#told.set(cause, at);
    const type = isLimit ? "key.limit_reached" : "balance.exhausted";
    const id = `evt_${accountId}_${at}_${crypto.randomUUID().replaceAll("-", "")}_${type.replaceAll(".", "_")}`;
    return { id, account_id: accountId, type, at, data: isLimit ? limitData(refusal) : balanceData(refusal) };
  }

  async #send(): Promise<void> {
    const { rows, queue } = this.#wiring;
    try {
      for (let waiting = rows.waiting(NOTICES_PER_BATCH); waiting.length > 0; waiting = rows.waiting(NOTICES_PER_BATCH)) {
        await queue.sendBatch(waiting.map(({ notice }): { body: WebhookMessage } => ({ body: { notice } })));
        rows.removeThrough(waiting.at(-1)?.row ?? 0);
      }
    } catch (error) {
      console.error("the queue took no notices; they are sent again later", error);
    }
  }
}

function limitData({ key_id, scope, reason, limit, retry_after_seconds }: Refusal): Record<string, unknown> {
  return { key_id, scope, reason, limit, retry_after_seconds };
}

function amount(text: string | null): number | null {
  return text === null ? null : Number(text);
}

function balanceData({ key_id, reason, needed_micro_rub, available_micro_rub }: Refusal): Record<string, unknown> {
  return { refused: { key_id, reason, needed_micro_rub: amount(needed_micro_rub), available_micro_rub: amount(available_micro_rub) } };
}
