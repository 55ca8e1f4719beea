/**
 * Frames and answer as AG-UI events (protocol 1.0) over server-sent events. Its client refuses a stream that does not begin with RUN_STARTED,
 * or that ends while a step is open: each call of an ensemble is a step, and whatever is open is closed before the run ends.
 */
import type { LifecycleFrame } from "../../../schema/request.ts";
import type { Usage } from "../../../schema/usage.ts";
import type { CanonicalEvent } from "../../protocol/canonical.ts";
import type { Encoder, EncoderContext, Protocol } from "../../protocol/protocol.ts";
import { shownFrame } from "./in-band.ts";
import type { CallUsage, Rendering, RunFacts } from "./contract.ts";

function event(type: string, fields: Record<string, unknown>): string {
  return `data: ${JSON.stringify({ type, ...fields })}\n\n`;
}

export function createAgUi(caller: Protocol, facts: RunFacts): Rendering {
  const frames = agUiFrames(facts);
  const protocol: Protocol = {
    ...caller,
    framing: "sse",
    streamContentType: "text/event-stream",
    createEncoder: (context) => createEncoder(context, { facts, closing: frames.closing }),
    renderStreamError: ({ message, code }) => frames.closing() + event("RUN_ERROR", { message, code }),
  };
  delete protocol.endRepeatsAnswer;
  delete protocol.continued;
  return { caller: protocol, silent: false, replaces: true, frame: frames.frame, headers: {} };
}

export interface AgUiFrames {
  frame: (frame: LifecycleFrame) => string;
  /** Ends what is still open. Says it again when asked again, since an end that was written may not have been sent. */
  closing: () => string;
}

/** The frames without an answer: what `GET /v1/requests/:id/events` shows. */
export function agUiFrames({ requestId, plan }: Pick<RunFacts, "requestId"> & { plan: RunFacts["plan"] | null }): AgUiFrames {
  const open = new Set<string>();
  const ids = { threadId: requestId, runId: requestId };
  return {
    frame: (frame) => {
      const step = String(frame.detail?.["node"] ?? "");
      switch (frame.event) {
        case "received":
          return event("RUN_STARTED", { ...ids, timestamp: frame.at }) + (plan === null ? "" : planSnapshot(requestId, plan));
        case "node_started":
          open.add(step);
          return event("STEP_STARTED", { stepName: step, timestamp: frame.at, metadata: frame.detail ?? {} });
        case "node_finished":
          if (!open.delete(step)) return "";
          return event("STEP_FINISHED", { stepName: step, timestamp: frame.at, metadata: frame.detail ?? {} });
        case "decided":
          return event("CUSTOM", { name: "route.decision", value: shownFrame(requestId, frame), timestamp: frame.at });
        default:
          return event("CUSTOM", { name: `plyrum.${frame.event}`, value: shownFrame(requestId, frame), timestamp: frame.at });
      }
    },
    closing: () => [...open].map((stepName) => event("STEP_FINISHED", { stepName })).join(""),
  };
}

/** The end of a run whose answer went elsewhere. `failure`: why there is none. */
export function agUiEnd(requestId: string, frames: AgUiFrames, failure: { code: string; message: string } | null): string {
  const end = failure === null ? event("RUN_FINISHED", { threadId: requestId, runId: requestId }) : event("RUN_ERROR", { ...failure });
  return frames.closing() + end;
}

function planSnapshot(requestId: string, { ensemble, attempts }: RunFacts["plan"]): string {
  if (ensemble === undefined) return "";
  const nodes = ensemble.nodes.map(({ id, kind, role, after, attempt }) => {
    return { id, kind, role, after, model: attempt === null ? null : (attempts[attempt]?.slug ?? null) };
  });
  const content = { nodes, quorum: ensemble.quorum, seed: ensemble.seed };
  return event("ACTIVITY_SNAPSHOT", { messageId: `${requestId}-plan`, activityType: "PLAN", content });
}

interface EncoderFacts {
  facts: RunFacts;
  closing: () => string;
}

function createEncoder(context: EncoderContext, { facts, closing }: EncoderFacts): Encoder {
  const tools = new Map<number, string>();
  const result: Record<string, unknown> = {};
  const id = (block: number): string => `${facts.requestId}-${block}`;
  const encode = (given: CanonicalEvent): string => {
    switch (given.type) {
      case "text-start":
        return event("TEXT_MESSAGE_START", { messageId: id(given.block), role: "assistant" });
      case "text-delta":
        return given.text === "" ? "" : event("TEXT_MESSAGE_CONTENT", { messageId: id(given.block), delta: given.text });
      case "text-end":
        return event("TEXT_MESSAGE_END", { messageId: id(given.block) });
      case "reasoning-start":
        return reasoning("START", id(given.block)) + event("REASONING_MESSAGE_START", { messageId: id(given.block), role: "reasoning" });
      case "reasoning-delta":
        return given.text === "" ? "" : event("REASONING_MESSAGE_CONTENT", { messageId: id(given.block), delta: given.text });
      case "reasoning-signature":
        return event("REASONING_ENCRYPTED_VALUE", { subtype: "message", entityId: id(given.block), encryptedValue: given.signature });
      case "reasoning-end":
        return event("REASONING_MESSAGE_END", { messageId: id(given.block) }) + reasoning("END", id(given.block));
      case "tool-input-start":
        tools.set(given.block, given.id);
        return event("TOOL_CALL_START", { toolCallId: given.id, toolCallName: given.name });
      case "tool-input-delta":
        return given.text === "" ? "" : event("TOOL_CALL_ARGS", { toolCallId: tools.get(given.block) ?? "", delta: given.text });
      case "tool-input-end":
        return event("TOOL_CALL_END", { toolCallId: tools.get(given.block) ?? "" });
      case "file":
        return event("CUSTOM", { name: "plyrum.file", value: given.source });
      case "source":
        return event("CUSTOM", { name: "plyrum.source", value: given.json });
      case "usage":
        if (given.final) Object.assign(result, { usage: given.usage, ...costOf(context, given.usage) });
        return "";
      case "finish":
        result["finish_reason"] = given.unified;
        return "";
      case "end": {
        const ids = { threadId: facts.requestId, runId: facts.requestId };
        return closing() + event("RUN_FINISHED", { ...ids, result, usage: facts.calls().map(tokenUsage) });
      }
      default:
        return "";
    }
  };
  return { encode };
}

function reasoning(word: "START" | "END", messageId: string): string {
  return event(`REASONING_${word}`, { messageId });
}

function costOf(context: EncoderContext, usage: Partial<Usage>): { cost_micro_rub?: number } {
  const { input_tokens = null, cache_read_tokens = null, cache_write_5m_tokens = null, cache_write_1h_tokens = null } = usage;
  const { output_tokens = null, reasoning_tokens = null } = usage;
  const whole = { input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens };
  const cost = context.costMicroRub(whole);
  return cost === null ? {} : { cost_micro_rub: cost };
}

/** AG-UI counts caches among the input. A number that nobody reported is left out. */
function tokenUsage({ provider, model, usage }: CallUsage): Record<string, unknown> {
  const written = sum([usage.cache_write_5m_tokens, usage.cache_write_1h_tokens]);
  const counts = {
    inputTokens: sum([usage.input_tokens, usage.cache_read_tokens, written]),
    outputTokens: usage.output_tokens,
    reasoningTokens: usage.reasoning_tokens,
    cachedInputTokens: usage.cache_read_tokens,
    cacheWriteInputTokens: written,
  };
  return { provider, model, ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== null)) };
}

function sum(counts: readonly (number | null)[]): number | null {
  const known = counts.filter((count) => count !== null);
  return known.length === 0 ? null : known.reduce((total, count) => total + count, 0);
}
