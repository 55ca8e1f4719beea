/** Hands messages to the consumer as the platform would, and tells what became of each. */
import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { consumeDead } from "../../workers/queue/consume-dead.ts";
import { consumeUsage } from "../../workers/queue/consume-usage.ts";

export interface Delivered {
  acked: string[];
  retried: string[];
}

/** Delivers bodies as messages `m0`, `m1`, … of one batch. A body given as text is the message's text. */
export async function deliver(env: Env, bodies: readonly unknown[], queue: "usage" | "usage-dead" = "usage"): Promise<Delivered> {
  const timestamp = Date.UTC(2026, 10, 21, 12, 0, 1);
  const batch = createMessageBatch(
    queue,
    bodies.map((body, index) => ({ id: `m${index}`, timestamp, attempts: 1, body })),
  );
  await (queue === "usage" ? consumeUsage(batch, env) : consumeDead(batch, env));
  const result = await getQueueResult(batch, createExecutionContext());
  return {
    acked: result.ackAll ? bodies.map((_, index) => `m${index}`) : result.explicitAcks,
    retried: result.retryMessages.map((each) => each.msgId),
  };
}

/** Entries as one message, as the outbox joins them. */
export function joined(messages: readonly string[]): string {
  return `[${messages.join(",")}]`;
}
