/** Every protocol's reader and every renderer against hostile bodies, in this process: an outcome for each, and nothing thrown. */
import { describe, expect, test } from "vitest";
import { ERROR_STATUS } from "../../schema/error.ts";
import { operationOf, PROTOCOL_IDS } from "../../schema/protocol.ts";
import { boundInputTokens } from "../../workers/cost/estimate.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import { measurePrompt } from "../../workers/protocol/measure.ts";
import { withStateOf } from "../../workers/protocol/opaque-state.ts";
import { VALID_REQUESTS, type ValidRequest } from "./bodies.ts";
import { HOSTILE_TEXTS, type Mutation, sampleMutations } from "./mutations.ts";

const SEED = Number(process.env["PLYRUM_SEED"] ?? 20261121);
/** `npm run hostile` takes all of them. */
const MUTATIONS_PER_PROTOCOL = Number(process.env["PLYRUM_MUTATIONS"] ?? 1_200);
const TARGET = { model: "provider-model", quirks: {}, maxOutputTokens: 1000 };

/** What is wrong with how one body is taken; null when nothing is. */
function faultOf({ protocol: id, address }: ValidRequest, { text }: Mutation): string | null {
  const protocol = PROTOCOLS[id];
  const parsed = protocol.parseRequest(text, address);
  if (!parsed.ok) {
    const { code, status } = parsed.error;
    if (status !== 400 || ERROR_STATUS[code] !== 400) return `refused with ${status} ${code}`;
    JSON.parse(protocol.renderError(parsed.error, "req_1"));
    return null;
  }
  const request = parsed.value;
  if (!Number.isSafeInteger(boundInputTokens(measurePrompt(request)))) return "a bound that is no whole number";
  if (request.maxOutputTokens !== null && !Number.isSafeInteger(request.maxOutputTokens)) return "a cap that is no whole number";
  if (!isObject(protocol.spliceRequest(text, request, TARGET))) return "spliced into something that is no JSON object";
  for (const target of PROTOCOL_IDS) {
    if (operationOf(target) !== operationOf(id)) continue;
    const rendered = PROTOCOLS[target].renderRequest(withStateOf(request, target), TARGET);
    if (!isObject(rendered.body)) return `rendered for ${target} as no JSON object`;
    const odd = rendered.losses.find((loss) => !["content", "hint", "approximation"].includes(loss.class) || typeof loss.path !== "string");
    if (odd !== undefined) return `a loss of no class for ${target}: ${odd.path}`;
  }
  return null;
}

function isObject(text: string): boolean {
  const value: unknown = JSON.parse(text);
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function checked(valid: ValidRequest, mutation: Mutation): string[] {
  try {
    const fault = faultOf(valid, mutation);
    return fault === null ? [] : [`${mutation.name}: ${fault}`];
  } catch (error) {
    return [`${mutation.name}: threw ${error instanceof Error ? (error.stack?.split("\n").slice(0, 3).join(" ") ?? "") : String(error)}`];
  }
}

describe.each(VALID_REQUESTS)("$protocol", (valid) => {
  test("takes the request that the hostile ones are made from", () => {
    const parsed = PROTOCOLS[valid.protocol].parseRequest(JSON.stringify(valid.body), valid.address);
    expect(parsed.ok ? null : parsed.error).toBeNull();
  });

  test("gives an outcome for every wrong value at every place, and renders what it takes for every provider", () => {
    const mutations = sampleMutations(valid.body, MUTATIONS_PER_PROTOCOL, SEED);
    expect(mutations.length).toBeGreaterThan(350);
    const faults = mutations.flatMap((mutation) => checked(valid, mutation));
    expect(faults.slice(0, 20), `${faults.length} of ${mutations.length}, seed ${SEED}`).toEqual([]);
  });

  test("refuses what is hardly JSON", () => {
    for (const mutation of HOSTILE_TEXTS) expect(checked(valid, mutation)).toEqual([]);
  });
});
