/** The body sent upstream, and what it could not carry: the caller's own bytes where the protocols agree, a translation elsewhere. */
import { failed, gatewayError, type Outcome } from "../../schema/error.ts";
import { parseJson } from "../../schema/json.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { Plan, PlanAttempt } from "../../schema/plan.ts";
import type { CanonicalRequest, Loss } from "../protocol/canonical.ts";
import { PROTOCOLS } from "../protocol/index.ts";
import { sliceAt } from "../protocol/json-text.ts";
import { restLosses } from "../protocol/losses.ts";
import { withoutForeignItems } from "../protocol/openai-responses/stored-state.ts";
import { hasForeignState, withStateOf } from "../protocol/opaque-state.ts";
import { type MediaByAddress, withMediaFor } from "./linked-media.ts";

export interface RenderInput {
  bodyText: string;
  request: CanonicalRequest;
  plan: Plan;
  /** The caller accepts a loss of content (`x-plyrum-compat: lossy`). */
  lossy: boolean;
  /** Media that was fetched from its addresses. */
  media?: MediaByAddress;
  /** Earlier items that were put into the body, by id: the provider that knows each by it. */
  origins?: ReadonlyMap<string, string> | undefined;
}

export interface RenderedAttempts {
  /** One for each attempt that is kept. */
  bodies: Uint8Array<ArrayBuffer>[];
  /** Indexes of the plan's attempts that can be asked: a further candidate that would lose content is none. */
  kept: number[];
  /** `x-plyrum-dropped`, `x-plyrum-approximated`: what the first attempt could not carry as it was. */
  headers: Record<string, string>;
}

/** Renders each attempt. Error: `unsupported_parameter` naming the first field whose content would be lost. */
export function renderAttempt(input: RenderInput): Outcome<RenderedAttempts> {
  const { request, plan } = input;
  const encoder = new TextEncoder();
  const bodies: Uint8Array<ArrayBuffer>[] = [];
  const kept: number[] = [];
  let bytes = 0;
  let losses: Loss[] = [];
  for (const [index, attempt] of plan.attempts.entries()) {
    const target = { model: attempt.model, quirks: attempt.quirks, maxOutputTokens: plan.output_tokens_max };
    const protocol = PROTOCOLS[attempt.protocol];
    // State of another provider cannot pass to this one, even where the bytes otherwise could.
    const passes = attempt.protocol === request.protocol && !hasForeignState(request);
    const rendered = passes
      ? {
          body: protocol.spliceRequest(ownBody(input, attempt), request, target),
          losses: [...cappedLoss(input), ...refusedLosses(input, attempt)],
        }
      : protocol.renderRequest(withStateOf(linked(input, attempt), attempt.protocol), target);
    const content = input.lossy ? undefined : rendered.losses.find((loss) => loss.class === "content");
    if (index === 0) {
      if (content !== undefined) return unsupported(content, plan.model);
      losses = rendered.losses;
    }
    if (content !== undefined) continue;
    const body = new Uint8Array(encoder.encode(rendered.body));
    bytes += body.byteLength;
    if (bytes > LIMITS.renderedBodyBytes) {
      if (index === 0) return tooLarge(plan);
      // What has been rendered for the candidates before it still fits.
      break;
    }
    bodies.push(body);
    kept.push(index);
  }
  return { ok: true, value: { bodies, kept, headers: lossHeaders(losses) } };
}

/** The caller's body, with no earlier item in it under an id that this attempt's provider did not give. */
function ownBody({ bodyText, origins }: RenderInput, { provider }: PlanAttempt): string {
  return origins === undefined || origins.size === 0 ? bodyText : withoutForeignItems(bodyText, origins, provider);
}

function tooLarge(plan: Plan): Outcome<never> {
  return failed(
    gatewayError("request_too_large", `As ${plan.model} takes it, this request has more than ${LIMITS.renderedBodyBytes} bytes.`, {
      suggestion: "Send less, in fewer and larger blocks, or put files behind an address.",
    }),
  );
}

/** The request with fetched bytes where the attempt's format needs them. A caller's own format carries its own addresses. */
function linked({ request, media }: RenderInput, attempt: PlanAttempt): CanonicalRequest {
  return media === undefined || attempt.protocol === request.protocol ? request : withMediaFor(request, attempt.protocol, media);
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

export function unsupported(loss: Loss, model: string): Outcome<never> {
  return failed(
    gatewayError("unsupported_parameter", `${model} cannot be given "${loss.path}" without losing it.`, {
      param: loss.path,
      suggestion: "Leave it out, choose another model, or send x-plyrum-compat: lossy to accept the loss.",
    }),
  );
}

export function lossHeaders(losses: readonly Loss[]): Record<string, string> {
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
