/** Cohere v2 Chat, read by eye. Billed units are the usage; the plan before tool calls is text. */
import { emptyReading, type Json, parseAll, type PlainReader, type Reading } from "./reading.ts";

function readUsage(reading: Reading, usage: Json): void {
  const counts = usage?.billed_units ?? usage?.tokens;
  reading.promptTokens = counts?.input_tokens ?? null;
  reading.outputTokens = counts?.output_tokens ?? null;
}

export const readCohereChat: PlainReader = {
  stream(bytes) {
    const reading = emptyReading();
    reading.texts[0] = "";
    for (const event of parseAll(bytes.toString())) {
      const message = event.delta?.message;
      if (event.type === undefined) reading.error = true;
      if (event.type === "content-start" || event.type === "content-delta") {
        reading.texts[0] += message.content.text ?? "";
        reading.reasoning += message.content.thinking ?? "";
      }
      if (event.type === "tool-plan-delta") reading.texts[0] += message.tool_plan;
      if (event.type === "tool-call-start") {
        const call = message.tool_calls;
        reading.calls[event.index] = { id: call.id, name: call.function.name, args: call.function.arguments };
      }
      const open = reading.calls[event.index];
      if (event.type === "tool-call-delta" && open !== undefined) open.args += message.tool_calls.function.arguments;
      if (event.type === "message-end") {
        reading.terminated = true;
        reading.finish = event.delta.finish_reason;
        reading.error ||= ["ERROR", "TIMEOUT"].includes(event.delta.finish_reason);
        readUsage(reading, event.delta.usage);
      }
    }
    return reading;
  },
  whole(text) {
    const body = JSON.parse(text);
    const reading = emptyReading();
    reading.terminated = true;
    reading.error = body.message?.role === undefined || body.finish_reason === "ERROR";
    if (reading.error) return reading;
    const content: Json[] = body.message.content ?? [];
    reading.texts[0] = (body.message.tool_plan ?? "") + content.map((part) => part.text ?? "").join("");
    reading.reasoning = content.map((part) => part.thinking ?? "").join("");
    reading.calls = (body.message.tool_calls ?? []).map((call: Json) => ({
      id: call.id,
      name: call.function.name,
      args: call.function.arguments,
    }));
    reading.finish = body.finish_reason;
    readUsage(reading, body.usage);
    return reading;
  },
};
