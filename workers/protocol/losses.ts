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
import { ownMember } from "../../schema/json.ts";
import type { ProtocolId } from "../../schema/protocol.ts";
import type { CanonicalRequest, Loss } from "./canonical.ts";

type LossClass = Loss["class"];

const LOSS_TABLE: Readonly<Record<string, LossClass>> = {
  // --- fields of OpenAI Chat callers
  seed: "hint",
  presence_penalty: "hint",
  frequency_penalty: "hint",
  logit_bias: "hint",
  prediction: "hint",
  verbosity: "hint",
  metadata: "hint",
  store: "hint",
  safety_identifier: "hint",
  prompt_cache_key: "hint",
  prompt_cache_retention: "hint",
  service_tier: "hint",
  n: "content",
  logprobs: "content",
  top_logprobs: "content",
  modalities: "content",
  audio: "content",
  web_search_options: "content",
  functions: "content",
  function_call: "content",
  // --- fields of Anthropic Messages callers
  container: "content",
  mcp_servers: "content",
  context_management: "hint",
  inference_geo: "content",
  output_config: "hint",
  // --- fields of Ollama callers
  messages: "content",
  prompt: "content",
  raw: "content",
  template: "content",
  context: "content",
  suffix: "content",
  _debug_render_only: "content",
  tools: "content",
  "messages.history": "content",
  // --- embeddings
  "input.tokens": "content",
  task_type: "hint",
  // --- fields of Bedrock Converse callers
  guardrailConfig: "content",
  promptVariables: "content",
  "outputConfig.textFormat": "content",
  "messages.citations": "hint",
  // --- fields of OpenAI Responses callers: what rests on an answer kept at the provider, and what only its own tools give
  previous_response_id: "content",
  conversation: "content",
  background: "content",
  include: "hint",
  "include.message.output_text.logprobs": "content",
  max_tool_calls: "hint",
  truncation: "hint",
  moderation: "hint",
  stream_options: "hint",
  "input.phase": "hint",
  "reasoning.summary": "hint",
  "text.format": "content",
  "text.format.description": "hint",
  "text.verbosity": "hint",
  // --- fields of Gemini callers
  cachedContent: "content",
  safetySettings: "hint",
  toolConfig: "approximation",
  "contents.videoMetadata": "hint",
  "contents.mediaResolution": "hint",
  "generationConfig.responseLogprobs": "content",
  "generationConfig.logprobs": "content",
  "generationConfig.responseModalities": "content",
  "generationConfig.responseMimeType": "content",
  "generationConfig.responseSchema": "content",
  "generationConfig.speechConfig": "content",
  "generationConfig.imageConfig": "content",
  // --- shared concepts
  cache_control: "hint",
  user: "hint",
  top_k: "hint",
  top_p: "hint",
  temperature: "approximation",
  stop: "content",
  max_tokens: "approximation",
  reasoning: "approximation",
  response_format: "content",
  parallel_tool_calls: "hint",
  tool_choice: "content",
  "tools.name": "approximation",
  "tools.unknown": "content",
  "messages.name": "hint",
  "messages.system-position": "approximation",
  "messages.image": "content",
  "messages.image.detail": "hint",
  "messages.file": "content",
  "messages.file.name": "approximation",
  "messages.audio": "content",
  "messages.refusal": "approximation",
  "messages.opaque": "content",
  "messages.reasoning": "hint",
  "messages.reasoning.signature": "hint",
  "messages.block-order": "approximation",
  "messages.tool-result.media": "approximation",
  "messages.tool-result.is-error": "approximation",
  "messages.tool-call.arguments": "approximation",
  "messages.trailing-space": "approximation",
};

/** Where a target differs from the row. */
const OVERRIDES: Readonly<Partial<Record<ProtocolId, Readonly<Record<string, LossClass>>>>> = {
  "openai-chat": { temperature: "hint" },
  // Only `none` is ever lost here, where earlier calls keep the tools in the request: the model may call again.
  "bedrock-converse": { tool_choice: "approximation" },
};

/** Values that ask for nothing beyond what happens anyway: sending them loses nothing. */
const NEUTRAL_VALUES: Readonly<Record<string, readonly string[]>> = {
  n: ["1"],
  logprobs: ["false"],
  top_logprobs: ["0"],
  modalities: ['["text"]'],
  "generationConfig.responseLogprobs": ["false"],
  "generationConfig.responseModalities": ['["TEXT"]'],
  // Other wires show thoughts or do not as they see fit.
  "generationConfig.thinkingConfig.includeThoughts": ["true", "false"],
  store: ["false"],
  service_tier: ['"auto"', '"default"'],
  presence_penalty: ["0"],
  frequency_penalty: ["0"],
  logit_bias: ["{}"],
  metadata: ["{}"],
  functions: ["[]"],
  mcp_servers: ["[]"],
  output_config: ["{}"],
  background: ["false"],
  include: ["[]", '["reasoning.encrypted_content"]'],
  truncation: ['"disabled"'],
  stream_options: ["{}", '{"include_obfuscation":false}'],
  raw: ["false"],
  template: ['""'],
  context: ["[]"],
  suffix: ['""'],
};

/** The loss of one feature at a target. `path` is the caller's own name of the place; it defaults to the feature's. */
export function lossFor(feature: string, target: ProtocolId, where: { path?: string; note?: string } = {}): Loss {
  const known = ownMember(OVERRIDES[target] ?? {}, feature) ?? ownMember(LOSS_TABLE, feature);
  return { class: known ?? "hint", path: where.path ?? feature, note: where.note ?? null };
}

/** Classifies what `parseRequest` left in `rest`. Null and neutral values are no loss. `carried` names fields the renderer sent after all. */
export function restLosses(request: Pick<CanonicalRequest, "rest">, target: ProtocolId, carried: readonly string[] = []): Loss[] {
  const losses: Loss[] = [];
  const sent = new Set(carried);
  for (const [field, value] of Object.entries(request.rest)) {
    if (value === null || value === undefined || sent.has(field)) continue;
    if (ownMember(NEUTRAL_VALUES, field)?.includes(JSON.stringify(value)) === true) continue;
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
