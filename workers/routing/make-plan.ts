/** From a resolved model to a plan: the provider's wire format nearest the caller's, its address, and the output cap. Pure. */
import type { Plan, PlanAttempt } from "../../schema/plan.ts";
import { failed, gatewayError, type Outcome } from "../../schema/error.ts";
import { operationOf, type ProtocolId } from "../../schema/protocol.ts";
import type { ProviderDefinition } from "../../schema/provider.ts";
import type { ResolvedModel } from "./resolve-model.ts";

export interface PlanInput {
  resolved: ResolvedModel;
  provider: ProviderDefinition;
  /** The provider's base URL in this deployment. */
  baseUrl: string;
  callerProtocol: ProtocolId;
  stream: boolean;
  outputTokensMax: number;
}

/**
 * One attempt at the resolved provider. The caller's own protocol is taken where the provider speaks it for that model, since then bytes
 * pass; else the next of kin, which carries the caller's bodies nearly as they are.
 * Error: `model_not_found` where the provider does nothing of the kind that is asked (an embedding, a generation).
 */
export function makePlan(input: PlanInput): Outcome<Plan> {
  const { resolved, provider, callerProtocol } = input;
  const operation = operationOf(callerProtocol);
  const fitting = provider.endpoints.filter(({ protocol, models }) => {
    return operationOf(protocol) === operation && (models === undefined || new RegExp(models).test(resolved.model));
  });
  const endpoint =
    fitting.find((candidate) => candidate.protocol === callerProtocol) ??
    fitting.find((candidate) => candidate.kin === callerProtocol) ??
    fitting[0];
  if (endpoint === undefined) {
    return failed(
      gatewayError("model_not_found", `${provider.name} offers nothing for this kind of call (${operation}).`, {
        param: "model",
        suggestion: "Use a model of another provider.",
      }),
    );
  }
  return {
    ok: true,
    value: {
      version: 1,
      model: `${resolved.provider}/${resolved.model}`,
      reason: resolved.reason,
      attempts: [makeAttempt(input, endpoint)],
      output_tokens_max: input.outputTokensMax,
    },
  };
}

function makeAttempt(input: PlanInput, endpoint: ProviderDefinition["endpoints"][number]): PlanAttempt {
  const { provider } = input;
  const path = input.stream ? (endpoint.stream_path ?? endpoint.path) : endpoint.path;
  return {
    provider: provider.id,
    model: input.resolved.model,
    protocol: endpoint.protocol,
    url: input.baseUrl.replace(/\/+$/, "") + path.replace("{model}", encodeURIComponent(input.resolved.model)),
    auth: provider.auth,
    headers: provider.headers,
    passed_headers: provider.passed_headers,
    abort_stops_billing: provider.abort_stops_billing,
    quirks: provider.quirks,
  };
}
