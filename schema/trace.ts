/** The place of a request in a trace, as W3C Trace Context carries it in `traceparent` (https://www.w3.org/TR/trace-context/#traceparent-header). */
import { z } from "zod";

export const traceContextSchema = z.strictObject({
  /** 32 hexadecimal digits. */
  trace_id: z.string().regex(/^[0-9a-f]{32}$/),
  /** The caller's span: 16 hexadecimal digits. */
  parent_id: z.string().regex(/^[0-9a-f]{16}$/),
  /** Whether the caller records this trace; where it does not, neither do we. */
  sampled: z.boolean(),
});
export type TraceContext = z.infer<typeof traceContextSchema>;

/** Version ff is forbidden, and so are ids of zeros; a later version may have more after the flags. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

/** Null for no header, and for one that the standard has us ignore. */
export function parseTraceparent(header: string | null): TraceContext | null {
  const [, trace_id, parent_id, flags] = TRACEPARENT.exec(header ?? "") ?? [];
  if (trace_id === undefined || parent_id === undefined || flags === undefined) return null;
  return { trace_id, parent_id, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
