/**
 * `model: "moa/NAME"` (an ensemble of the configuration) and `model: "self-moa/3@provider/model"` (so many samples of one model): from the name
 * to a plan of several calls, each with its own address, price and credential.
 */
import type { ConfigDocument } from "../../schema/document.ts";
import type { EnsembleConfig } from "../../schema/ensemble.ts";
import { failed, gatewayError, type Outcome } from "../../schema/error.ts";
import { ownMember } from "../../schema/json.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { Plan } from "../../schema/plan.ts";
import { checkEnsemble } from "../engine/mixture/check-plan.ts";
import { type PlannedCall, planMixture } from "../engine/mixture/plan-mixture.ts";
import type { PlannedRequest } from "../engine/serve-completion.ts";
import { type Candidate, candidateOf, type FallbackInput } from "./fallbacks.ts";

const NAMED = /^moa\/(.+)$/;
const SAMPLED = /^self-moa\/(\d{1,2})@(.+)$/;

/** Whether a caller's model name asks for an ensemble. */
export function isEnsemble(model: string): boolean {
  return model.startsWith("moa/") || model.startsWith("self-moa/");
}

type Planned = Pick<PlannedRequest, "plan" | "snapshot" | "snapshotText" | "credentials" | "prices">;

/** The plan of an ensemble. Errors: `model_not_found` for a name nobody configured or a model that leads nowhere; `invalid_request` for numbers out of range. */
export function planEnsemble(model: string, config: ConfigDocument, input: FallbackInput & { seed: number }): Outcome<Planned> {
  const shape = shapeOf(model, config);
  if (!shape.ok) return shape;
  const { aggregator, proposers, hedge } = shape.value;
  const spare = hedge === undefined || hedge === false ? null : hedge === true ? aggregator : hedge;
  const models = [...proposers, aggregator, ...(spare === null ? [] : [spare])];
  // Every call streams, whatever the caller asked for.
  const candidates = new Map(models.map((name) => [name, candidateOf(name, { ...input, request: { ...input.request, stream: true } })]));
  const missing = models.find((name) => candidates.get(name) === null);
  if (missing !== undefined) return notServed(model, missing);
  const calls = new Calls(candidates, input.request.maxOutputTokens);
  const cap = shape.value.proposer_max_tokens ?? null;
  const second = proposers.find((name) => name !== aggregator) ?? null;
  const ensemble = planMixture({
    proposers: proposers.map((name) => calls.call(name, "plain", cap)),
    spare: spare === null ? null : calls.call(spare, "plain", cap),
    aggregator: calls.call(aggregator, "aggregate", null),
    second: second === null ? null : calls.call(second, "aggregate", null),
    direct: calls.call(aggregator, "direct", null),
    quorum: shape.value.quorum ?? null,
    deadlineMilliseconds: shape.value.deadline_ms ?? null,
    seed: input.seed,
  });
  const fault = checkEnsemble(ensemble, calls.asked.length);
  if (fault !== null)
    return failed(gatewayError("invalid_request", `The ensemble "${model}" cannot be run: ${fault}.`, { param: "model" }));
  return { ok: true, value: plannedOf(model, calls, ensemble) };
}

function plannedOf(model: string, { asked, outputTokensMax }: Calls, ensemble: NonNullable<Plan["ensemble"]>): Planned {
  const [first] = asked;
  if (first === undefined) throw new Error("an ensemble asks nobody");
  return {
    plan: {
      version: 1,
      model,
      reason: "ensemble",
      attempts: asked.map(({ attempt }) => attempt),
      output_tokens_max: outputTokensMax,
      ensemble,
    },
    ...first.price,
    credentials: asked.map(({ credential }) => credential),
    prices: asked.map(({ price }) => price),
  };
}

function shapeOf(model: string, config: ConfigDocument): Outcome<EnsembleConfig> {
  const sampled = SAMPLED.exec(model);
  if (sampled !== null) {
    const samples = Number(sampled[1]);
    const name = sampled[2] ?? "";
    if (samples >= 2 && samples <= LIMITS.proposersPerEnsemble)
      return { ok: true, value: { proposers: Array.from({ length: samples }, () => name), aggregator: name } };
    const range = `self-moa takes 2 to ${LIMITS.proposersPerEnsemble} samples.`;
    return failed(gatewayError("invalid_request", range, { param: "model", suggestion: `Use self-moa/3@${name}.` }));
  }
  const name = NAMED.exec(model)?.[1] ?? "";
  const ensembles = config.ensembles ?? {};
  const found = ownMember(ensembles, name);
  if (found !== undefined) return { ok: true, value: found };
  return failed(
    gatewayError("model_not_found", `There is no ensemble "${model}" here.`, {
      param: "model",
      available: Object.keys(ensembles).map((each) => `moa/${each}`),
      suggestion: "Add it to ensembles in the configuration, or use self-moa/3@provider/model.",
    }),
  );
}

function notServed(model: string, missing: string): Outcome<never> {
  return failed(
    gatewayError("model_not_found", `The ensemble "${model}" asks "${missing}", which is not served or has no price.`, {
      param: "model",
      suggestion: "Correct the ensemble in the configuration, or turn the provider on.",
    }),
  );
}

/** The attempts of a plan. Calls with the same body share one: all samples of a model. */
class Calls {
  readonly asked: Candidate[] = [];
  /** What every model that is asked takes as a cap. */
  outputTokensMax: number = LIMITS.outputTokensUnasked;
  readonly #candidates: ReadonlyMap<string, Candidate | null>;
  readonly #wanted: number | null;
  readonly #known = new Map<string, PlannedCall>();

  constructor(candidates: ReadonlyMap<string, Candidate | null>, wanted: number | null) {
    this.#candidates = candidates;
    this.#wanted = wanted;
    for (const candidate of candidates.values())
      this.outputTokensMax = Math.min(this.outputTokensMax, candidate?.price.snapshot.max_output_tokens ?? this.outputTokensMax);
  }

  call(name: string, task: "plain" | "aggregate" | "direct", cap: number | null): PlannedCall {
    const key = `${task} ${name}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const candidate = this.#candidates.get(name);
    if (candidate === undefined || candidate === null) throw new Error("an ensemble asks a model that was not looked up");
    const whole = Math.max(1, this.#wanted ?? this.outputTokensMax);
    const call = { attempt: this.asked.length, outputTokensMax: Math.min(whole, cap ?? whole) };
    this.asked.push(candidate);
    this.#known.set(key, call);
    return call;
  }
}
