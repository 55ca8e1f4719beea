/** The consumer of `usage-dead`: what was tried too often is parked in D1, readable and replayable, instead of vanishing after four days. */
import { deadLetters, markReplayed, parkMessages } from "../../db/dead-letters.ts";
import { LIMITS } from "../../schema/limits.ts";
import { bodyText, letterId } from "./consume-usage.ts";

export async function consumeDead(batch: MessageBatch, env: Env): Promise<void> {
  const letters = batch.messages.map((message) => {
    const body = bodyText(message.body);
    return { id: letterId(body), queue: "usage", body, reason: "tried too often", parked_at: message.timestamp.getTime() };
  });
  await parkMessages(env.DB, letters);
  batch.ackAll();
}

/** Sends parked messages to their queue again. Gives how many. Applying one twice changes nothing. */
export async function replayDeadLetters(env: Env, now: number): Promise<number> {
  const waiting = await deadLetters(env.DB, { limit: LIMITS.outboxRowsPerBatch, waitingOnly: true });
  for (const letter of waiting) await env.USAGE_QUEUE.send(letter.body, { contentType: "text" });
  await markReplayed(
    env.DB,
    waiting.map((letter) => letter.id),
    now,
  );
  return waiting.length;
}
