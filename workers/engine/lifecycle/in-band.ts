/**
 * Frames inside a stream of the caller's own protocol: as comments, which every client skips, or as chunks, for a caller that asked for them.
 * A chunk has the shape of one that carries nothing (no choices, no candidates, a ping), since clients take every event for a part of the
 * answer. A wire without either has no frames.
 */
import type { LifecycleFrame } from "../../../schema/request.ts";
import type { Protocol } from "../../protocol/protocol.ts";

/** A frame as it is shown: numbered, with its run, its time in milliseconds, and what happened. */
export function shownFrame(requestId: string, { seq, at, event, detail }: LifecycleFrame): Record<string, unknown> {
  return { seq, run_id: requestId, ts: at, type: event, ...detail };
}

export function commentText(caller: Protocol, requestId: string, frame: LifecycleFrame): string {
  return caller.framing === "sse" ? `: plyrum ${JSON.stringify(shownFrame(requestId, frame))}\n\n` : "";
}

interface Place {
  frame: LifecycleFrame;
  begun: boolean;
}

/** `plan.model` stands where the protocol wants a model's name. */
export function chunkText(caller: Protocol, facts: { requestId: string; plan: { model: string } }, { frame, begun }: Place): string {
  const plyrum = shownFrame(facts.requestId, frame);
  const created = Math.floor(frame.at / 1000);
  const { model } = facts.plan;
  switch (caller.id) {
    case "openai-chat":
      return data({ id: facts.requestId, object: "chat.completion.chunk", created, model, choices: [], plyrum });
    // A response begins with `response.created`; what was before it is a comment. OpenAI's own package throws on a type it does not know.
    case "openai-responses":
      if (!begun) return commentText(caller, facts.requestId, frame);
      return `event: keepalive\n${data({ type: "keepalive", sequence_number: 0, plyrum })}`;
    case "anthropic-messages":
      return `event: ping\n${data({ type: "ping", plyrum })}`;
    case "gemini":
      return data({ candidates: [], modelVersion: model, plyrum });
    case "ollama-chat":
      return line({ model, created_at: timeOf(frame), message: { role: "assistant", content: "" }, done: false, plyrum });
    case "ollama-generate":
      return line({ model, created_at: timeOf(frame), response: "", done: false, plyrum });
    default:
      return commentText(caller, facts.requestId, frame);
  }
}

function timeOf({ at }: LifecycleFrame): string {
  return new Date(at).toISOString();
}

function data(value: object): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

function line(value: object): string {
  return `${JSON.stringify(value)}\n`;
}
