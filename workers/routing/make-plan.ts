/** From a resolved model to a plan: the provider's wire format nearest the caller's, its address, and the output cap. Pure. */
import type { Plan, PlanAttempt } from "../../schema/plan.ts";
import type { ProtocolId } from "../../schema/protocol.ts";
import type { ProviderDefinition } from "../../schema/provider.ts";
import type { ResolvedModel } from "./resolve-model.ts";

export interface PlanInput {
  resolved: ResolvedModel;
  provider: ProviderDefinition;
  /** The provider's base URL in this deployment. */
  baseUrl: string;
  callerProtocol: ProtocolId;
  outputTokensMax: number;
}

/** One attempt at the resolved provider. The caller's own protocol is taken where the provider speaks it, since then bytes pass. */
export function makePlan(input: PlanInput): Plan {
  const { resolved, provider } = input;
  return {
    version: 1,
    model: `${resolved.provider}/${resolved.model}`,
    reason: resolved.reason,
    attempts: [makeAttempt(input, provider)],
    output_tokens_max: input.outputTokensMax,
  };
}

function makeAttempt(input: PlanInput, provider: ProviderDefinition): PlanAttempt {
  const own = provider.endpoints.find((endpoint) => endpoint.protocol === input.callerProtocol);
  const endpoint = own ?? provider.endpoints[0];
  if (endpoint === undefined) throw new Error(`provider ${provider.id} speaks no protocol`);
  return {
    provider: provider.id,
    model: input.resolved.model,
    protocol: endpoint.protocol,
    url: input.baseUrl.replace(/\/+$/, "") + endpoint.path,
    auth: provider.auth,
    headers: provider.headers,
    passed_headers: provider.passed_headers,
    abort_stops_billing: provider.abort_stops_billing,
    quirks: provider.quirks,
  };
}
