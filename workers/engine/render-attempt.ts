/** The body sent upstream, and what it could not carry: the caller's own bytes where the protocols agree, a translation elsewhere. */
import { failed, gatewayError, type Outcome } from "../../schema/error.ts";
import { parseJson } from "../../schema/json.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { Plan, PlanAttempt } from "../../schema/plan.ts";
import type { CanonicalRequest, Loss } from "../protocol/canonical.ts";
import { PROTOCOLS } from "../protocol/index.ts";
import { sliceAt } from "../protocol/json-text.ts";
import { restLosses } from "../protocol/losses.ts";
import { hasForeignState, withStateOf } from "../protocol/opaque-state.ts";

export interface RenderInput {
  bodyText: string;
  request: CanonicalRequest;
  plan: Plan;
  /** The caller accepts a loss of content (`x-plyrum-compat: lossy`). */
  lossy: boolean;
}

export interface RenderedAttempts {
  bodies: Uint8Array<ArrayBuffer>[];
  /** `x-plyrum-dropped`, `x-plyrum-approximated`: what the first attempt could not carry as it was. */
  headers: Record<string, string>;
}

/** Renders each attempt. Error: `unsupported_parameter` naming the first field whose content would be lost. */
export function renderAttempt(input: RenderInput): Outcome<RenderedAttempts> {
  const { bodyText, request, plan } = input;
  const encoder = new TextEncoder();
  const bodies: Uint8Array<ArrayBuffer>[] = [];
  let losses: Loss[] = [];
  for (const [index, attempt] of plan.attempts.entries()) {
    const target = { model: attempt.model, quirks: attempt.quirks, maxOutputTokens: plan.output_tokens_max };
    const protocol = PROTOCOLS[attempt.protocol];
    // State of another provider cannot pass to this one, even where the bytes otherwise could.
    const passes = attempt.protocol === request.protocol && !hasForeignState(request);
    const rendered = passes
      ? { body: protocol.spliceRequest(bodyText, request, target), losses: [...cappedLoss(input), ...refusedLosses(input, attempt)] }
      : protocol.renderRequest(withStateOf(request, attempt.protocol), target);
    bodies.push(new Uint8Array(encoder.encode(rendered.body)));
    if (index === 0) losses = rendered.losses;
  }
  const content = losses.find((loss) => loss.class === "content");
  if (content !== undefined && !input.lossy) return unsupported(content, plan);
  return { ok: true, value: { bodies, headers: lossHeaders(losses) } };
}

/** A cap put in for a caller who named none changes what may come back, so it is said. */
function cappedLoss(input: RenderInput): Loss[] {
  if (input.request.maxOutputTokens !== null) return [];
  return [{ class: "approximation", path: "max_tokens", note: `→${input.plan.output_tokens_max}` }];
}

/** Fields of the caller's own body that this provider is declared to refuse, which the splice takes out. */
function refusedLosses({ bodyText, request }: RenderInput, attempt: PlanAttempt): Loss[] {
  return (attempt.quirks.refusedFields ?? []).flatMap((field) => {
    const text = sliceAt(bodyText, [field]);
    const parsed = text === null ? null : parseJson(text);
    return parsed?.ok === true ? restLosses({ ...request, rest: { [field]: parsed.value } }, attempt.protocol) : [];
  });
}

function unsupported(loss: Loss, plan: Plan): Outcome<never> {
  return failed(
    gatewayError("unsupported_parameter", `${plan.model} cannot be given "${loss.path}" without losing it.`, {
      param: loss.path,
      suggestion: "Leave it out, choose another model, or send x-plyrum-compat: lossy to accept the loss.",
    }),
  );
}

function lossHeaders(losses: readonly Loss[]): Record<string, string> {
  const dropped = losses.filter((loss) => loss.class !== "approximation").map((loss) => loss.path);
  const approximated = losses
    .filter((loss) => loss.class === "approximation")
    .map((loss) => (loss.note === null ? loss.path : `${loss.path}(${loss.note})`));
  return {
    ...(dropped.length === 0 ? {} : { "x-plyrum-dropped": headerValue(dropped) }),
    ...(approximated.length === 0 ? {} : { "x-plyrum-approximated": headerValue(approximated) }),
  };
}

/** One header value of bounded length, without control characters. The runtime sends it as UTF-8. */
function headerValue(parts: readonly string[]): string {
  return [...new Set(parts)]
    .join(",")
    .slice(0, LIMITS.answerHeaderCharacters)
    .replaceAll(/[\p{Cc}]/gu, " ");
}
