/** The blocking guard: a refusal before anything is held or sent. Off unless the configuration has `prompt_guards.input_guards.jailbreak`. */
import type { ConfigDocument } from "../../schema/document.ts";
import { gatewayError, type GatewayError } from "../../schema/error.ts";
import type { CanonicalRequest } from "../protocol/canonical.ts";
import { promptClassOf } from "./route-request.ts";

/** Null: the request may go on. */
export function guardRefusal({ prompt_guards }: ConfigDocument, request: CanonicalRequest): GatewayError | null {
  const guard = prompt_guards?.input_guards?.jailbreak;
  if (guard === undefined || request.embedding !== undefined || promptClassOf(request).risk.level !== "high") return null;
  return gatewayError("forbidden", guard.on_exception?.message ?? "The prompt reads like an attempt to take the model's rules away.", {
    suggestion: "Ask in other words. Nothing was sent or charged.",
  });
}
