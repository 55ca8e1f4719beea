/**
 * The hub: one request shape and one event stream that every wire format parses to and renders from (design.md §3).
 *
 * A turn is an ordered list of typed blocks, never "a message with content"; a stream is an ordered list of events, each with
 * its block and choice index; a unary answer is the fold of its stream. Opaque values (tool arguments, signatures) stay the
 * exact text they arrived as, so numbers above 2^53, `1.0` and key order survive. Enums are open where providers invent values.
 */
import type { GatewayError } from "../../schema/error.ts";
import type { ProtocolId } from "../../schema/protocol.ts";
import type { Usage } from "../../schema/usage.ts";

/** Where bytes come from: inline base64, an address, or a provider's file id. */
export type MediaSource = { kind: "base64"; mediaType: string; data: string } | { kind: "url"; url: string } | { kind: "file"; id: string };

/** A cache mark of the caller's on the block it follows. `raw` is the caller's own JSON text. */
export interface CacheMark {
  ttl: "5m" | "1h" | null;
}

export type ReasoningKind = "raw" | "summary" | "redacted";

export type Block =
  | { type: "text"; text: string; cache: CacheMark | null }
  | { type: "refusal"; text: string }
  | { type: "image"; source: MediaSource; detail: string | null; cache: CacheMark | null }
  | { type: "file"; source: MediaSource; name: string | null; cache: CacheMark | null }
  | { type: "audio"; source: MediaSource; format: string | null }
  | { type: "reasoning"; kind: ReasoningKind; text: string; signature: string | null; data: string | null }
  /** `signature`: opaque state a provider ties to the call (Gemini's `thoughtSignature`); left out where there is none. */
  | { type: "tool-call"; id: string; name: string; argumentsText: string; cache: CacheMark | null; signature?: string | null }
  | { type: "tool-result"; callId: string; name: string | null; content: Block[]; isError: boolean | null; cache: CacheMark | null }
  /** A block only its own protocol knows (server tools, citations…): raw JSON text, kept for that protocol, a loss for any other. */
  | { type: "opaque"; protocol: ProtocolId; kind: string; json: string };

export interface Turn {
  role: "system" | "developer" | "user" | "assistant" | "tool";
  name: string | null;
  blocks: Block[];
}

export interface ToolDefinition {
  name: string;
  description: string | null;
  /** The JSON schema of the input as the caller's own JSON text. */
  schemaText: string;
  strict: boolean | null;
  cache: CacheMark | null;
}

export type ToolChoice = { mode: "auto" } | { mode: "none" } | { mode: "required" } | { mode: "tool"; name: string };

export type ResponseFormat =
  | { kind: "text" }
  | { kind: "json-object" }
  | { kind: "json-schema"; name: string | null; schemaText: string; strict: boolean | null };

export interface ReasoningControl {
  /** OpenAI's scale (`none`, `minimal`, `low`…); null when the caller gave a budget or nothing. */
  effort: string | null;
  /** Tokens the caller allows for thinking; null when not said. */
  budgetTokens: number | null;
  mode: "enabled" | "disabled" | "adaptive" | null;
}

export interface EmbeddingControl {
  dimensions: number | null;
  encoding: "float" | "base64" | null;
  /** What the vectors are for, in Gemini's words (`RETRIEVAL_QUERY`…); null when not said. */
  taskType: string | null;
}

export interface CanonicalRequest {
  protocol: ProtocolId;
  model: string;
  stream: boolean;
  /** Whether the caller's own protocol would show usage in the stream (always so but for `stream_options` of OpenAI Chat). */
  wantsStreamUsage: boolean;
  turns: Turn[];
  tools: ToolDefinition[];
  toolChoice: ToolChoice | null;
  parallelToolCalls: boolean | null;
  maxOutputTokens: number | null;
  temperature: number | null;
  topP: number | null;
  topK: number | null;
  stop: string[];
  choices: number;
  reasoning: ReasoningControl | null;
  responseFormat: ResponseFormat | null;
  user: string | null;
  /** Set for an embedding, whose inputs are the turns, one each. */
  embedding?: EmbeddingControl;
  /** Every other top-level field of the caller, by its own name, as parsed JSON: what the loss table classifies. */
  rest: Record<string, unknown>;
}

/** How a finish is named in the hub; `raw` in the event keeps the provider's own word. */
export type FinishReason =
  | "stop"
  | "stop-sequence"
  | "length"
  | "context-full"
  | "tool-calls"
  | "refusal"
  | "content-filter"
  | "pause"
  | "malformed"
  | "error";

/** Ordered events of one answer. `block` is unique in the answer over all choices; a block is opened once and closed once. */
export type CanonicalEvent =
  | { type: "start"; id: string | null; model: string | null; createdSeconds: number | null }
  | { type: "text-start"; block: number; choice: number; refusal: boolean }
  | { type: "text-delta"; block: number; text: string }
  | { type: "text-end"; block: number }
  | { type: "reasoning-start"; block: number; choice: number; kind: ReasoningKind; data: string | null }
  | { type: "reasoning-delta"; block: number; text: string }
  | { type: "reasoning-signature"; block: number; signature: string }
  | { type: "reasoning-end"; block: number }
  | { type: "tool-input-start"; block: number; choice: number; id: string; name: string; signature?: string | null }
  | { type: "tool-input-delta"; block: number; text: string }
  | { type: "tool-input-end"; block: number }
  | { type: "file"; block: number; choice: number; source: MediaSource }
  | { type: "source"; block: number | null; choice: number; json: string }
  /** Cumulative: later values replace earlier ones field by field. `final` is false for a placeholder at the start. */
  | { type: "usage"; usage: Partial<Usage>; final: boolean; anomaly: string | null }
  | { type: "finish"; choice: number; unified: FinishReason; raw: string; stopSequence: string | null; detailsJson: string | null }
  | { type: "error"; error: GatewayError }
  /** One vector of an embedding: its JSON text as the provider wrote it (an array of numbers, or a quoted base64 string). */
  | { type: "embedding"; index: number; valuesText: string }
  | { type: "ping" }
  /** Something only this protocol knows; not rendered to any other. */
  | { type: "opaque"; protocol: ProtocolId; kind: string; json: string }
  /** The wire's own terminator was seen (`[DONE]`, `message_stop`), or, for a unary body, its end. */
  | { type: "end" };

/** One thing the target could not carry (contract §3, three classes). `path` is the caller's own field name. */
export interface Loss {
  class: "content" | "hint" | "approximation";
  path: string;
  /** For an approximation, what became of it: `1.4→1`. */
  note: string | null;
}
