/**
 * What a simulated run does, as a list anybody can read, cut down and run again. An operation holds every choice it needs, and one that
 * has nothing to act on does nothing, so each part of a list is a list too.
 */
import { z } from "zod";

const count = z.number().int().nonnegative();
const tokens = { input: count, cached: count, output: count };

export const operationSchema = z.discriminatedUnion("op", [
  /** Something that is due happens: a call arrives, an answer, a timer, an alarm, D1 or the queue does what it was asked. */
  z.strictObject({ op: z.literal("go"), n: count }),
  z.strictObject({ op: z.literal("wait"), ms: count }),
  z.strictObject({
    op: z.literal("admit"),
    account: count,
    request: count,
    lane: count,
    key: count,
    hold: count,
    ttl: count,
    /** Requests of one account with the same number share an `Idempotency-Key`. */
    idempotency: count.nullable(),
  }),
  /** The upstream of a request ends: with its usage, broken off after some output, without a report, or before any content. */
  z.strictObject({ op: z.literal("finish"), request: count, how: z.enum(["usage", "cut", "estimate", "release"]), ...tokens }),
  z.strictObject({ op: z.literal("extend"), request: count, hold: count, ttl: count }),
  /** The provider's report says otherwise, after the end. */
  z.strictObject({ op: z.literal("trueUp"), request: count, ...tokens }),
  /** A payment comes to its end at the payment provider. */
  z.strictObject({ op: z.literal("pay"), account: count, payment: count, amount: count, succeeds: z.boolean() }),
  /** Its webhook comes, for the first or the tenth time, for a payment that may not exist. */
  z.strictObject({ op: z.literal("webhook"), payment: count }),
  z.strictObject({
    op: z.literal("takeBack"),
    payment: count,
    number: count,
    amount: count,
    fee: count,
    as: z.enum(["refund", "chargeback"]),
  }),
  z.strictObject({ op: z.literal("adjust"), account: count, number: count, amount: z.number().int() }),
  /** An earlier call to an account comes once more, word for word; `change` makes it contradict the first. */
  z.strictObject({ op: z.literal("again"), n: count, change: z.boolean() }),
  z.strictObject({ op: z.literal("consume"), n: count, size: count }),
  z.strictObject({ op: z.literal("reconcile"), account: count }),
  z.strictObject({ op: z.literal("replayDead") }),
  /** The object is gone between two events, or at its next `after`-th failpoint. */
  z.strictObject({ op: z.literal("crash"), account: count }),
  z.strictObject({ op: z.literal("crashAt"), account: count, after: count }),
  z.strictObject({ op: z.literal("crashLane"), account: count, lane: count }),
  z.strictObject({ op: z.literal("crashConsumer"), n: count }),
  /** A call or an answer under way is lost (its sender learns that it is), or a call comes twice. */
  z.strictObject({ op: z.literal("drop"), n: count }),
  z.strictObject({ op: z.literal("duplicate"), n: count }),
  /** From now on what is said about a request stays under way, until `deliver`. */
  z.strictObject({ op: z.literal("slow"), request: count }),
  z.strictObject({ op: z.literal("deliver"), request: count }),
  z.strictObject({ op: z.literal("message"), how: z.enum(["duplicate", "lose", "kill"]), n: count }),
  z.strictObject({ op: z.literal("fail"), where: z.enum(["d1", "queue"]), how: z.enum(["before", "after"]), times: count }),
  z.strictObject({ op: z.literal("alarm"), account: count, how: z.enum(["now", "lose"]) }),
  /** The clock of an account's machine goes that far beside the others'. */
  z.strictObject({ op: z.literal("skew"), account: count, ms: z.number().int() }),
]);
export type Operation = z.infer<typeof operationSchema>;

/** What a run starts from. Amounts in micro-RUB. */
export const settingSchema = z.strictObject({
  accounts: count.min(1),
  /** Lanes of each account. */
  lanes: count.min(1),
  opening: count,
  /** Limits of each account's second key; the first has none. */
  parallel: count,
  spendPerDay: count,
  /** Upstreams that have not ended with the operations never do. */
  hangs: z.boolean(),
  /** Everything that is due happens after each operation, before the next. */
  eager: z.boolean(),
  /** After the run the object, and then the database, is restored to what it was at this operation; null for never. */
  restoreTo: count.nullable(),
});
export type Setting = z.infer<typeof settingSchema>;

export const runSchema = z.strictObject({ setting: settingSchema, operations: z.array(operationSchema) });
export type Run = z.infer<typeof runSchema>;
