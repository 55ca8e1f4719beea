/**
 * Frames and answer as the UI message stream of the AI SDK (v1). Its steps mean one model call after the other, so calls of an ensemble, which
 * run beside each other, are data parts: one a call, replaced in place whenever its state changes.
 */
import { parseJson } from "../../../schema/json.ts";
import type { LifecycleFrame } from "../../../schema/request.ts";
import type { CanonicalEvent, FinishReason } from "../../protocol/canonical.ts";
import type { Encoder, EncoderContext, Protocol } from "../../protocol/protocol.ts";
import { mergeUsage, UNKNOWN_USAGE } from "../../../schema/usage.ts";
import { shownFrame } from "./in-band.ts";
import type { Rendering, RunFacts } from "./contract.ts";

const DONE = "data: [DONE]\n\n";
export const AI_UI_HEADERS = { "x-vercel-ai-ui-message-stream": "v1" };

function part(type: string, fields: Record<string, unknown> = {}): string {
  return `data: ${JSON.stringify({ type, ...fields })}\n\n`;
}

export function createAiUi(caller: Protocol, facts: RunFacts): Rendering {
  const protocol: Protocol = {
    ...caller,
    framing: "sse",
    streamContentType: "text/event-stream",
    createEncoder: (context) => createEncoder(context, facts),
    renderStreamError: ({ message }) => aiUiEnd({ message }),
  };
  delete protocol.endRepeatsAnswer;
  delete protocol.continued;
  return { caller: protocol, silent: false, replaces: true, frame: aiUiFrames(facts), headers: AI_UI_HEADERS };
}

/** The frames without an answer. `plan`: null where it is not known. */
export function aiUiFrames({
  requestId,
  plan,
}: Pick<RunFacts, "requestId"> & { plan: RunFacts["plan"] | null }): (frame: LifecycleFrame) => string {
  const nodes = new Map<string, Record<string, unknown>>();
  return (frame) => {
    const node = String(frame.detail?.["node"] ?? "");
    switch (frame.event) {
      case "received": {
        const ensemble = plan?.ensemble;
        const snapshot =
          ensemble === undefined ? "" : part("data-plan", { id: "plan", data: { nodes: ensemble.nodes, quorum: ensemble.quorum } });
        return part("start", { messageId: requestId }) + snapshot;
      }
      case "node_started":
      case "node_finished": {
        const known = { ...nodes.get(node), ...frame.detail, status: frame.detail?.["state"] ?? "running" };
        nodes.set(node, known);
        return part("data-node", { id: node, data: known });
      }
      case "decided":
        return part("data-route", { data: shownFrame(requestId, frame), transient: true });
      default:
        return part("data-lifecycle", { data: shownFrame(requestId, frame), transient: true });
    }
  };
}

/** The end of a stream of frames, or of an answer that failed. */
export function aiUiEnd(failure: { message: string } | null): string {
  return (failure === null ? part("finish") : part("error", { errorText: failure.message })) + DONE;
}

const FINISH: Partial<Record<FinishReason, string>> = {
  stop: "stop",
  "stop-sequence": "stop",
  length: "length",
  "context-full": "length",
  "tool-calls": "tool-calls",
  refusal: "content-filter",
  "content-filter": "content-filter",
  error: "error",
};

function createEncoder(context: EncoderContext, facts: RunFacts): Encoder {
  const tools = new Map<number, { toolCallId: string; toolName: string; text: string }>();
  let usage = UNKNOWN_USAGE;
  let finishReason: string | undefined;
  const encode = (event: CanonicalEvent): string => {
    switch (event.type) {
      case "text-start":
        return part("text-start", { id: String(event.block) });
      case "text-delta":
        return part("text-delta", { id: String(event.block), delta: event.text });
      case "text-end":
        return part("text-end", { id: String(event.block) });
      case "reasoning-start":
        return part("reasoning-start", { id: String(event.block) });
      case "reasoning-delta":
        return part("reasoning-delta", { id: String(event.block), delta: event.text });
      case "reasoning-signature":
        return part("reasoning-delta", {
          id: String(event.block),
          delta: "",
          providerMetadata: { plyrum: { signature: event.signature } },
        });
      case "reasoning-end":
        return part("reasoning-end", { id: String(event.block) });
      case "tool-input-start":
        tools.set(event.block, { toolCallId: event.id, toolName: event.name, text: "" });
        return part("tool-input-start", { toolCallId: event.id, toolName: event.name });
      case "tool-input-delta": {
        const tool = tools.get(event.block);
        if (tool === undefined) return "";
        tool.text += event.text;
        return part("tool-input-delta", { toolCallId: tool.toolCallId, inputTextDelta: event.text });
      }
      case "tool-input-end":
        return toolInput(tools.get(event.block));
      case "file":
        return fileOf(event.source);
      case "source":
        return part("data-source", { data: event.json });
      case "usage":
        usage = mergeUsage(usage, event.usage);
        return "";
      case "finish":
        finishReason = FINISH[event.unified] ?? "other";
        return "";
      case "end": {
        const cost = context.costMicroRub(usage);
        const messageMetadata = {
          request_id: facts.requestId,
          usage,
          calls: facts.calls(),
          ...(cost === null ? {} : { cost_micro_rub: cost }),
        };
        return part("finish", { ...(finishReason === undefined ? {} : { finishReason }), messageMetadata }) + DONE;
      }
      default:
        return "";
    }
  };
  return { encode };
}

/** The finished input of a call, as a value: the one place where its text is not kept as it came. */
function toolInput(tool: { toolCallId: string; toolName: string; text: string } | undefined): string {
  if (tool === undefined) return "";
  const { toolCallId, toolName, text } = tool;
  const parsed = text.trim() === "" ? { ok: true as const, value: {} } : parseJson(text);
  return parsed.ok
    ? part("tool-input-available", { toolCallId, toolName, input: parsed.value })
    : part("tool-input-error", { toolCallId, toolName, input: text, errorText: "The input of the call is not JSON." });
}

function fileOf(source: Extract<CanonicalEvent, { type: "file" }>["source"]): string {
  if (source.kind === "base64") return part("file", { url: `data:${source.mediaType};base64,${source.data}`, mediaType: source.mediaType });
  return source.kind === "url"
    ? part("file", { url: source.url, mediaType: "application/octet-stream" })
    : part("data-file", { data: source });
}
