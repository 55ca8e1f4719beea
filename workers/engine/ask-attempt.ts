/** One attempt of a request's plan at its address, with the request's own body, credential and headers. */
import { type AddressOutcome, askAddress } from "../runtime/ask-address.ts";
import type { OwnerPorts } from "./ports.ts";
import type { Run } from "./run.ts";

/** `index`: the attempt's place in the plan, which is that of its body and its credential. */
export function askAttempt({ envelope, live, controller }: Run, index: number, ports: OwnerPorts): Promise<AddressOutcome> {
  const attempt = envelope.plan.attempts[index];
  if (attempt === undefined) throw new Error(`the plan has no attempt ${index}`);
  return askAddress(
    {
      attempt,
      body: envelope.bodies[index] ?? new Uint8Array(0),
      credential: envelope.credentials[index] ?? null,
      stream: envelope.stream,
      requestId: envelope.request_id,
      callerHeaders: envelope.caller_headers,
      controller,
    },
    { runtime: ports.runtime, health: ports.health, random: ports.random, onAttempt: (record) => live.attempts.push(record) },
  );
}
