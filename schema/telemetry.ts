/** A message of the queue `telemetry`: one finished request. */
import { z } from "zod";
import { accountIdSchema } from "./key.ts";
import { requestRecordSchema } from "./message.ts";

export const telemetryMessageSchema = z.strictObject({
  account_id: accountIdSchema,
  seq: z.number().int().positive(),
  record: requestRecordSchema,
});
export type TelemetryMessage = z.infer<typeof telemetryMessageSchema>;
