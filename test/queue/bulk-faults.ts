/** What goes wrong between an account's outbox and D1 in `npm run bulk`, chosen by a number generator with a seed. */

export interface Source {
  /** An integer from 0 up to, not including, `limit`. */
  below: (limit: number) => number;
}

/** mulberry32. */
export function seeded(seed: number): Source {
  let state = seed >>> 0;
  return {
    below: (limit) => {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
    },
  };
}

export interface Faults {
  sentTwice: number;
  heldBack: number;
  lost: number;
  crashedBefore: number;
  crashedAfter: number;
  refusedByD1: number;
  unsureOfD1: number;
  /** Deliveries of messages that fail until they are dead. */
  retriedToDeath: number;
}

const HELD_MAX = 8;
const DOOMED_EVERY = 15;
/** Whatever of a doomed message the outbox sends again is doomed too and waits its own ten tries, so a few keep the queue busy. */
const DOOMED_MAX = 8;

/** What was decided to fail for ever, and how many batches and messages there were. Without `bodies` again, everything passes. */
export interface Doom {
  bodies: Set<unknown>;
  messages: number;
  batches: number;
}

/**
 * Sends one message in eight twice, holds one in four back until later ones have gone, and loses one in fifty; of those that are sent,
 * dooms the third and then every fifteenth, up to eight.
 */
export function faultyQueue(queue: Queue, chaos: () => Source | null, doom: Doom, faults: Faults): Queue {
  const held: { body: unknown; options: QueueSendOptions | undefined }[] = [];
  const release = async (source: Source | null): Promise<void> => {
    while (held.length > 0) {
      const [message] = held.splice(source?.below(held.length) ?? 0, 1);
      if (message !== undefined) await queue.send(message.body, message.options);
    }
  };
  const send = async (body: unknown, options?: QueueSendOptions): Promise<void> => {
    const source = chaos();
    if (source === null) {
      await release(null);
      await queue.send(body, options);
      return;
    }
    const fate = source.below(200);
    if (fate < 4) faults.lost += 1;
    else if (fate < 54) {
      faults.heldBack += 1;
      held.push({ body, options });
    } else {
      if (++doom.messages % DOOMED_EVERY === 3 && doom.bodies.size < DOOMED_MAX) doom.bodies.add(body);
      await queue.send(body, options);
      if (fate < 79) {
        faults.sentTwice += 1;
        await queue.send(body, options);
      }
    }
    if (held.length >= HELD_MAX || fate >= 190) await release(source);
  };
  return { send } as unknown as Queue;
}

/** D1 that refuses one batch in twelve, and of as many says that the connection was lost although it wrote them. */
export function faultyDatabase(database: D1Database, source: Source | null, faults: Faults): D1Database {
  const batch = async (statements: D1PreparedStatement[]): Promise<D1Result[]> => {
    const fate = source?.below(12) ?? 12;
    if (fate === 0) {
      faults.refusedByD1 += 1;
      throw new Error("D1_ERROR: overloaded");
    }
    const results = await database.batch(statements);
    if (fate === 1) {
      faults.unsureOfD1 += 1;
      throw new Error("Network connection lost");
    }
    return results;
  };
  return { prepare: (sql: string) => database.prepare(sql), batch } as unknown as D1Database;
}

export interface FaultyBatch {
  batch: MessageBatch;
  crashes: "before" | "after" | null;
}

/**
 * Of the batches of `usage`, while there is a `source`, the second of every five crashes after everything is written and nothing
 * acknowledged, the fourth before anything is written. Messages that were doomed when they were sent fail whenever they come.
 */
export function faultyBatch(batch: MessageBatch, source: Source | null, doom: Doom, faults: Faults): FaultyBatch {
  if (batch.queue !== "usage") return { batch, crashes: null };
  const place = source === null ? 0 : ++doom.batches % 5;
  const crashes = place === 4 ? "before" : place === 2 ? "after" : null;
  if (crashes === "before") faults.crashedBefore += 1;
  if (crashes === "after") faults.crashedAfter += 1;
  const doomed = batch.messages.filter((message) => doom.bodies.has(message.body));
  faults.retriedToDeath += doomed.length;
  for (const message of doomed) message.retry();
  const others = batch.messages.filter((message) => !doomed.includes(message));
  const messages = crashes === "after" ? others.map(unacknowledged) : others;
  return { batch: { ...batch, queue: batch.queue, messages, ackAll: () => undefined, retryAll: () => undefined } as MessageBatch, crashes };
}

function unacknowledged(message: Message): Message {
  const { id, timestamp, body, attempts } = message;
  return { id, timestamp, body, attempts, ack: () => undefined, retry: () => undefined } as Message;
}
