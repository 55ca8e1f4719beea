/** The one shape of an error (contract §4), checked in full. */
import { expect } from "vitest";
import { z } from "zod";
import type { Sent } from "./gateway.ts";

const errorBodySchema = z.strictObject({
  error: z.strictObject({
    code: z.string(),
    message: z.string().min(1),
    type: z.string().min(1),
    param: z.string().nullable(),
    details: z.strictObject({ available: z.array(z.string()).nullable(), suggestion: z.string().nullable() }),
  }),
  request_id: z.string().regex(/^req_[0-9a-z]{23}_[0-9a-z]+$/),
});

/** `param` is compared when it is given. */
export function expectError(sent: Sent, status: number, code: string, param?: string): void {
  const body = errorBodySchema.safeParse(sent.json);
  expect(body.error?.issues, sent.text).toBeUndefined();
  expect([sent.status, body.data?.error.code], sent.text).toEqual([status, code]);
  expect(sent.headers.get("content-type")).toMatch(/^application\/json/);
  expect(sent.headers.get("x-plyrum-request-id")).toBe(body.data?.request_id);
  if (param !== undefined) expect(body.data?.error.param, sent.text).toBe(param);
}
