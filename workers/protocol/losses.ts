/**
 * What a wire format cannot carry of another's request, and how bad that is: the one table behind contract §3's three classes.
 *
 * `content`: the caller cannot be served honestly (a 400 `unsupported_parameter`, unless the caller sends `x-plyrum-compat: lossy`).
 * `hint`: a wish that only tunes the answer; dropped and named in `x-plyrum-dropped`. `approximation`: done differently and named
 * in `x-plyrum-approximated`. A row is a feature: a caller's top-level field by its own name, or a dotted name for something
 * inside (`messages.audio`, `tools.custom`). A column is the target that lacks it; no entry means the target carries it.
 *
 * To add a protocol: add its column to the rows it cannot carry (the type of the table names every protocol id), add rows for the
 * fields only its own callers can send, and let its `renderRequest` call `restLosses` for what `parseRequest` left in `rest` and
 * `lossFor` at each place where it leaves something out. A field without a row counts as a hint: it is named, never silent.
 */
import type { ProtocolId } from "../../schema/protocol.ts";
import type { CanonicalRequest, Loss } from "./canonical.ts";

type LossClass = Loss["class"];
type LossRow = Partial<Record<ProtocolId, LossClass>>;

const LOSS_TABLE: Readonly<Record<string, LossRow>> = {
  // --- fields of OpenAI Chat callers
  seed: { "anthropic-messages": "hint" },
  presence_penalty: { "anthropic-messages": "hint" },
  frequency_penalty: { "anthropic-messages": "hint" },
  logit_bias: { "anthropic-messages": "hint" },
  prediction: { "anthropic-messages": "hint" },
  verbosity: { "anthropic-messages": "hint" },
  metadata: { "anthropic-messages": "hint", "openai-chat": "hint" },
  store: { "anthropic-messages": "hint" },
  safety_identifier: { "anthropic-messages": "hint" },
  prompt_cache_key: { "anthropic-messages": "hint" },
  prompt_cache_retention: { "anthropic-messages": "hint" },
  service_tier: { "anthropic-messages": "hint", "openai-chat": "hint" },
  n: { "anthropic-messages": "content" },
  logprobs: { "anthropic-messages": "content" },
  top_logprobs: { "anthropic-messages": "content" },
  modalities: { "anthropic-messages": "content" },
  audio: { "anthropic-messages": "content" },
  web_search_options: { "anthropic-messages": "content" },
  functions: { "anthropic-messages": "content" },
  function_call: { "anthropic-messages": "content" },
  // --- fields of Anthropic Messages callers
  container: { "openai-chat": "content" },
  mcp_servers: { "openai-chat": "content" },
  context_management: { "openai-chat": "hint" },
  inference_geo: { "openai-chat": "content" },
  output_config: { "openai-chat": "hint" },
  // --- shared concepts
  cache_control: { "openai-chat": "hint" },
  user: { "openai-chat": "hint", "anthropic-messages": "hint" },
  top_k: { "openai-chat": "hint" },
  top_p: { "openai-chat": "hint", "anthropic-messages": "hint" },
  temperature: { "anthropic-messages": "approximation", "openai-chat": "hint" },
  stop: { "openai-chat": "content", "anthropic-messages": "content" },
  max_tokens: { "anthropic-messages": "approximation", "openai-chat": "approximation" },
  reasoning: { "openai-chat": "approximation", "anthropic-messages": "approximation" },
  response_format: { "anthropic-messages": "content" },
  parallel_tool_calls: { "anthropic-messages": "hint" },
  tool_choice: { "openai-chat": "content", "anthropic-messages": "content" },
  "tools.name": { "anthropic-messages": "approximation" },
  "tools.unknown": { "openai-chat": "content", "anthropic-messages": "content" },
  "messages.name": { "anthropic-messages": "hint" },
  "messages.system-position": { "anthropic-messages": "approximation" },
  "messages.image": { "openai-chat": "content", "anthropic-messages": "content" },
  "messages.image.detail": { "anthropic-messages": "hint" },
  "messages.file": { "openai-chat": "content", "anthropic-messages": "content" },
  "messages.audio": { "anthropic-messages": "content", "openai-chat": "content" },
  "messages.refusal": { "anthropic-messages": "approximation" },
  "messages.opaque": { "openai-chat": "content", "anthropic-messages": "content" },
  "messages.reasoning": { "openai-chat": "hint", "anthropic-messages": "hint" },
  "messages.reasoning.signature": { "openai-chat": "hint", "anthropic-messages": "hint" },
  "messages.block-order": { "openai-chat": "approximation" },
  "messages.tool-result.media": { "openai-chat": "approximation" },
  "messages.tool-result.is-error": { "openai-chat": "approximation" },
  "messages.tool-call.arguments": { "anthropic-messages": "approximation" },
  "messages.trailing-space": { "anthropic-messages": "approximation" },
};

/** Values that ask for nothing beyond what happens anyway: sending them loses nothing. */
const NEUTRAL_VALUES: Readonly<Record<string, readonly string[]>> = {
  logprobs: ["false"],
  top_logprobs: ["0"],
  modalities: ['["text"]'],
  store: ["false"],
  service_tier: ['"auto"', '"default"'],
  presence_penalty: ["0"],
  frequency_penalty: ["0"],
  logit_bias: ["{}"],
  metadata: ["{}"],
  functions: ["[]"],
  mcp_servers: ["[]"],
  output_config: ["{}"],
};

/** The loss of one feature at a target. `path` is the caller's own name of the place; it defaults to the feature's. */
export function lossFor(feature: string, target: ProtocolId, where: { path?: string; note?: string } = {}): Loss {
  return { class: LOSS_TABLE[feature]?.[target] ?? "hint", path: where.path ?? feature, note: where.note ?? null };
}

/** Classifies what `parseRequest` left in `rest`. Null and neutral values are no loss. `carried` names fields the renderer sent after all. */
export function restLosses(request: CanonicalRequest, target: ProtocolId, carried: readonly string[] = []): Loss[] {
  const losses: Loss[] = [];
  for (const [field, value] of Object.entries(request.rest)) {
    if (value === null || value === undefined || carried.includes(field)) continue;
    if (NEUTRAL_VALUES[field]?.includes(JSON.stringify(value)) === true) continue;
    losses.push(lossFor(field.startsWith("tools.") ? "tools.unknown" : field, target, { path: field }));
  }
  return losses;
}

/** Names each path once per class, in order: a hundred cache marks are one entry of the header. */
export function distinctLosses(losses: readonly Loss[]): Loss[] {
  const seen = new Set<string>();
  return losses.filter((loss) => {
    const key = `${loss.class} ${loss.path}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
