/**
 * What upstreams sent for one request, kept where the deployment and its caller asked for that: enough to run the stored plan again without
 * any of them. Answers only: no body of a request, no header that was sent, no credential.
 */
import { z } from "zod";
import { LIMITS } from "./limits.ts";
import { planSchema } from "./plan.ts";
import { protocolIdSchema } from "./protocol.ts";

/** Headers of an answer that decide anything: the rest is not kept. */
export const RECORDED_HEADERS: ReadonlySet<string> = new Set([
  "content-type",
  "retry-after",
  "retry-after-ms",
  "x-should-retry",
  "x-ratelimit-reset-requests",
  "x-ratelimit-reset-tokens",
  "x-request-id",
  "request-id",
  "x-amzn-requestid",
  "x-amzn-errortype",
]);

const milliseconds = z.number().int().nonnegative();

/** One thing that the run asked of the world, in order. Times are milliseconds since the run began. */
const recordedStepSchema = z.discriminatedUnion("kind", [
  /** The circuit breaker of an address let nothing pass. */
  z.strictObject({ kind: z.literal("rest"), address: z.string(), rest_ms: milliseconds }),
  /** A call. Its body's bytes are kept beside, under this number. */
  z.strictObject({
    kind: z.literal("call"),
    number: z.number().int().positive(),
    at: milliseconds,
    /** Null: no status line came. */
    status: z.number().int().nullable(),
    headers: z.record(z.string(), z.string()),
    answered_at: milliseconds.nullable(),
    /** When each piece of the body came, and its bytes. */
    pieces: z.array(z.tuple([milliseconds, z.number().int().nonnegative()])).max(LIMITS.recordedPieces),
    /** `end`: the body ended; `broken`: the connection failed; `open`: we stopped listening. */
    ended: z.enum(["end", "broken", "open"]),
    ended_at: milliseconds.nullable(),
  }),
]);
export type RecordedStep = z.infer<typeof recordedStepSchema>;
export type RecordedCall = Extract<RecordedStep, { kind: "call" }>;

export const recordingSchema = z.strictObject({
  version: z.literal(1),
  request_id: z.string(),
  account_id: z.string(),
  protocol: protocolIdSchema,
  stream: z.boolean(),
  plan: planSchema,
  recorded_at: z.number().int(),
  expires_at: z.number().int(),
  steps: z.array(recordedStepSchema),
  /** The run was called off (its caller left, or its money ran out): its events end where its bytes do, without a terminal one. */
  stopped: z.boolean(),
  /** The canonical events of the run: how many, and the SHA-256 of their lines. */
  events: z.strictObject({ count: z.number().int().nonnegative(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
});
export type Recording = z.infer<typeof recordingSchema>;

/** `GET /admin/recordings/:id`: bodies as base64, in the order of the calls. */
export const recordingViewSchema = z.strictObject({ recording: recordingSchema, bodies: z.array(z.string()) });

/** Whether upstream bytes are recorded, and for how long. */
export const recordPolicySchema = z.looseObject({
  /** `true`: of every call but those with `x-plyrum-record: 0`; `"on_request"`: of calls with `x-plyrum-record: 1`. */
  upstream: z.union([z.boolean(), z.literal("on_request")]).default(false),
  keep_days: z.number().int().min(1).max(LIMITS.recordingDaysMax).default(7),
});
export type RecordPolicy = z.infer<typeof recordPolicySchema>;

/** One canonical event as a line, whatever the order its members were made in. What is undefined is not there. */
export function eventLine(event: unknown): string {
  return `${JSON.stringify(event, (_, value: unknown) => (isPlainObject(value) ? sorted(value) : value))}\n`;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function sorted(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1)));
}
