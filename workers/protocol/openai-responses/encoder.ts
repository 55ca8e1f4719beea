/** Canonical events → a caller's Responses stream, or its whole body: ids, sequence numbers, the envelope and the terminal event. */
import type { GatewayError } from "../../../schema/error.ts";
import type { CanonicalEvent } from "../canonical.ts";
import { stringifyWithRaw } from "../json-text.ts";
import type { Encoder, EncoderContext } from "../protocol.ts";
import { renderSseFrame } from "../sse.ts";
import { type AnswerWriter, createAnswerWriter } from "./answer-writer.ts";
import { renderUsage } from "./usage.ts";

type Status = "in_progress" | "completed" | "incomplete" | "failed" | "cancelled";

/** How the answer ended, in this wire's words. */
interface Ending {
  status: Status;
  reason: "max_output_tokens" | "content_filter" | null;
}

const ENDINGS: Readonly<Partial<Record<string, Ending>>> = {
  length: { status: "incomplete", reason: "max_output_tokens" },
  "context-full": { status: "incomplete", reason: "max_output_tokens" },
  "content-filter": { status: "incomplete", reason: "content_filter" },
  refusal: { status: "incomplete", reason: "content_filter" },
  error: { status: "failed", reason: null },
};

const COMPLETED: Ending = { status: "completed", reason: null };

/** A refusal that the caller can read as such is a completed answer; one without words is a filter's. */
function endingOf(writer: AnswerWriter): Ending {
  const unified = writer.finishEvent()?.unified ?? "stop";
  return unified === "refusal" && writer.refused() ? COMPLETED : (ENDINGS[unified] ?? COMPLETED);
}

/** The response object. Members that only repeat the request are what the API shows where nothing was asked for; none is known here. */
function responseObject(writer: AnswerWriter, ending: Ending, context: EncoderContext): object {
  const { id, model, createdSeconds } = writer.head();
  const isOver = ending.status !== "in_progress";
  const usage = writer.usage();
  const isFailed = ending.status === "failed";
  return {
    id,
    object: "response",
    created_at: createdSeconds,
    status: ending.status,
    background: false,
    error: isFailed ? { code: "server_error", message: "The provider ended the answer with an error." } : null,
    incomplete_details: ending.reason === null ? null : { reason: ending.reason },
    instructions: null,
    max_output_tokens: null,
    model,
    output: isOver ? writer.output() : [],
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    store: false,
    temperature: null,
    text: { format: { type: "text" } },
    tool_choice: "auto",
    tools: [],
    top_p: null,
    truncation: "disabled",
    usage: isOver ? renderUsage(usage, context.costMicroRub(usage)) : null,
    user: null,
    metadata: {},
    ...context.echo,
  };
}

/** The response object of an answer that is not there yet, or never will be. */
export function responseWithout(
  status: "in_progress" | "failed" | "cancelled",
  context: EncoderContext,
  error: GatewayError | null,
): string {
  const writer = createAnswerWriter(context, () => {});
  const shown = error === null ? {} : { error: { code: error.upstream_code ?? error.code, message: error.message } };
  return stringifyWithRaw({ ...responseObject(writer, { status, reason: null }, context), error: null, ...shown });
}

export function createEncoder(context: EncoderContext): Encoder {
  let text = "";
  let sequence = 0;
  const emit = (type: string, members: Record<string, unknown>): void => {
    text += renderSseFrame(type, stringifyWithRaw({ type, sequence_number: sequence++, ...members }));
  };
  const writer = createAnswerWriter(context, emit);
  let started = false;
  let ended = false;
  const start = (): void => {
    if (started) return;
    started = true;
    const response = responseObject(writer, { status: "in_progress", reason: null }, context);
    emit("response.created", { response });
    emit("response.in_progress", { response });
  };
  const end = (): void => {
    ended = true;
    start();
    writer.finish();
    const ending = endingOf(writer);
    emit(`response.${ending.status}`, { response: responseObject(writer, ending, context) });
  };
  return {
    encode(event) {
      if (ended) return "";
      text = "";
      if (event.type === "end") end();
      // The stream error needs the request's id: whoever drives the encoder renders it.
      else if (event.type === "error") ended = true;
      else if (event.type !== "ping" && event.type !== "opaque") {
        if (event.type === "start") writer.write(event);
        // Usage may come before the start of some wires; the envelope waits for the answer's id.
        if (event.type !== "usage") start();
        if (event.type !== "start") writer.write(event);
      }
      return text;
    },
  };
}

/** A whole answer as one body: what the stream's terminal event would repeat. */
export function renderResponse(events: readonly CanonicalEvent[], context: EncoderContext): string {
  const writer = createAnswerWriter(context, () => {});
  for (const event of events) writer.write(event);
  writer.finish();
  return stringifyWithRaw(responseObject(writer, endingOf(writer), context));
}

/**
 * The end of a stream that another wrote: its terminal event, numbered on. The events that would close its items name items by ids that only
 * the other knew, and the terminal event repeats the items anyway.
 */
export function continued(pieces: readonly (string | Uint8Array)[], frames: number): string[] {
  const last = pieces.at(-1);
  const terminal = typeof last === "string" ? last.slice(last.lastIndexOf("event: ")) : "";
  // Inside a string the quotes of a number's name would be escaped, so this is the frame's own.
  return [terminal.replace(/"sequence_number":\d+/, `"sequence_number":${frames}`)];
}
