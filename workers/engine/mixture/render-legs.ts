/**
 * The bodies of an ensemble's calls. Every call streams whatever the caller asked for, so that one that is let go of has shown what it used;
 * and every one is a translation, since the aggregator's request is not the caller's. A model that would lose content refuses the whole.
 */
import { failed, gatewayError, type Outcome } from "../../../schema/error.ts";
import type { EnsembleNode } from "../../../schema/ensemble.ts";
import { LIMITS } from "../../../schema/limits.ts";
import type { Plan, PlanAttempt } from "../../../schema/plan.ts";
import type { CanonicalRequest, Loss } from "../../protocol/canonical.ts";
import { PROTOCOLS } from "../../protocol/index.ts";
import { distinctLosses } from "../../protocol/losses.ts";
import { withStateOf } from "../../protocol/opaque-state.ts";
import { type MediaByAddress, withMediaFor } from "../linked-media.ts";
import { lossHeaders, unsupported } from "../render-attempt.ts";
import { isAggregating, isProposing } from "./bounds.ts";
import { withSystemText } from "./references.ts";

export interface LegsInput {
  request: CanonicalRequest;
  plan: Plan;
  lossy: boolean;
  media: MediaByAddress;
  /** Text that stands in an aggregator's body where the proposals will be. */
  mark: string;
}

export interface RenderedLegs {
  /** By index of the plan's attempts. */
  bodies: Uint8Array<ArrayBuffer>[];
  /** All of them. */
  kept: number[];
  headers: Record<string, string>;
}

export function renderLegs(input: LegsInput): Outcome<RenderedLegs> {
  const { request, plan } = input;
  const { nodes } = plan.ensemble ?? { nodes: [] };
  const fault = faultOf(request);
  if (fault !== null) return fault;
  const encoder = new TextEncoder();
  const bodies: Uint8Array<ArrayBuffer>[] = [];
  const losses: Loss[] = [];
  for (const [index, attempt] of plan.attempts.entries()) {
    const node = nodes.find((candidate) => candidate.attempt === index);
    if (node === undefined) throw new Error("an ensemble has an attempt that no node asks");
    const rendered = renderLeg(input, attempt, node);
    const content = input.lossy ? undefined : rendered.losses.find((loss) => loss.class === "content");
    if (content !== undefined) return unsupported(content, attempt.slug ?? attempt.model);
    // What the proposers were not told shows in no answer of theirs that the caller sees.
    if (!isProposing(node)) losses.push(...rendered.losses);
    bodies.push(new Uint8Array(encoder.encode(rendered.body)));
  }
  const bytes = bodies.reduce((sum, body) => sum + body.byteLength, 0);
  if (bytes <= LIMITS.renderedBodyBytes)
    return { ok: true, value: { bodies, kept: [...bodies.keys()], headers: lossHeaders(distinctLosses(losses)) } };
  return failed(
    gatewayError(
      "request_too_large",
      `For all calls of ${plan.model} together this request has more than ${LIMITS.renderedBodyBytes} bytes.`,
      {
        suggestion: "Send less, or ask a single model.",
      },
    ),
  );
}

/** An ensemble gives one answer of text and tool calls. */
function faultOf(request: CanonicalRequest): Outcome<never> | null {
  const param = request.embedding !== undefined ? "model" : request.choices > 1 ? "n" : null;
  if (param === null) return null;
  return failed(
    gatewayError("unsupported_parameter", `An ensemble gives one answer: "${param}" asks for something else.`, {
      param,
      suggestion: "Ask a single model.",
    }),
  );
}

function renderLeg({ request, plan, media, mark }: LegsInput, attempt: PlanAttempt, node: EnsembleNode): { body: string; losses: Loss[] } {
  const whole: CanonicalRequest = { ...request, stream: true, wantsStreamUsage: true };
  const asked = isAggregating(node) ? withSystemText(whole, mark) : isProposing(node) ? asProposal(whole, node) : whole;
  const fetched = attempt.protocol === request.protocol ? asked : withMediaFor(asked, attempt.protocol, media);
  const target = { model: attempt.model, quirks: attempt.quirks, maxOutputTokens: plan.output_tokens_max };
  return PROTOCOLS[attempt.protocol].renderRequest(withStateOf(fetched, attempt.protocol), target);
}

/** A seed would make the samples of one model the same. */
function asProposal(request: CanonicalRequest, node: EnsembleNode): CanonicalRequest {
  const { seed: _, ...rest } = request.rest;
  return { ...request, rest, maxOutputTokens: Math.min(node.output_tokens_max, request.maxOutputTokens ?? node.output_tokens_max) };
}
