/** The wire formats as the playground speaks them: the body of a request, and what a frame of the answer says. */
import type { Json } from "./read-json.ts";

export interface Question {
  model: string;
  message: string;
  system: string;
  cap: number;
}

/** What one frame adds. Tokens are the whole count so far, where the frame says it. */
export interface Heard {
  text?: string;
  thought?: string;
  outputTokens?: number;
  costMicroRub?: number;
  error?: string;
}

function child(value: unknown, ...path: (string | number)[]): unknown {
  let at = value;
  for (const step of path) at = typeof at === "object" && at !== null ? Reflect.get(at, step) : undefined;
  return at;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function count(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

/** Leaves out what the frame does not say. */
function heard(said: { [Name in keyof Heard]: Heard[Name] | undefined }): Heard {
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
}

interface Format {
  body: (question: Question) => unknown;
  hear: (frame: Json) => Heard;
}

function messages({ message, system }: Question): { role: string; content: string }[] {
  return [...(system === "" ? [] : [{ role: "system", content: system }]), { role: "user", content: message }];
}

export const FORMATS: Readonly<Record<string, Format>> = {
  "openai-chat": {
    body: (question) => ({
      model: question.model,
      stream: true,
      stream_options: { include_usage: true },
      max_completion_tokens: question.cap,
      messages: messages(question),
    }),
    hear: (frame) =>
      heard({
        text: text(child(frame, "choices", 0, "delta", "content")),
        thought: text(child(frame, "choices", 0, "delta", "reasoning_content")),
        outputTokens: count(child(frame, "usage", "completion_tokens")),
        costMicroRub: count(child(frame, "usage", "cost_micro_rub")),
        error: text(child(frame, "error", "message")),
      }),
  },
  "openai-responses": {
    body: ({ model, message, system, cap }) => ({
      model,
      stream: true,
      max_output_tokens: cap,
      input: message,
      ...(system === "" ? {} : { instructions: system }),
    }),
    hear: (frame) => {
      const delta = text(frame["delta"]);
      return heard({
        text: frame["type"] === "response.output_text.delta" ? delta : undefined,
        thought: String(frame["type"]).startsWith("response.reasoning") ? delta : undefined,
        outputTokens: count(child(frame, "response", "usage", "output_tokens")),
        costMicroRub: count(child(frame, "response", "usage", "cost_micro_rub")),
        error: text(child(frame, "error", "message")) ?? text(child(frame, "response", "error", "message")),
      });
    },
  },
  "anthropic-messages": {
    body: ({ model, message, system, cap }) => ({
      model,
      stream: true,
      max_tokens: cap,
      messages: [{ role: "user", content: message }],
      ...(system === "" ? {} : { system }),
    }),
    hear: (frame) =>
      heard({
        text: text(child(frame, "delta", "text")),
        thought: text(child(frame, "delta", "thinking")),
        outputTokens: count(child(frame, "usage", "output_tokens")),
        costMicroRub: count(child(frame, "usage", "cost_micro_rub")),
        error: text(child(frame, "error", "message")),
      }),
  },
  gemini: {
    body: ({ message, system, cap }) => ({
      contents: [{ role: "user", parts: [{ text: message }] }],
      generationConfig: { maxOutputTokens: cap },
      ...(system === "" ? {} : { systemInstruction: { parts: [{ text: system }] } }),
    }),
    hear: (frame) => {
      const part = child(frame, "candidates", 0, "content", "parts", 0);
      const said = text(child(part, "text"));
      const isThought = child(part, "thought") === true;
      return heard({
        text: isThought ? undefined : said,
        thought: isThought ? said : undefined,
        outputTokens: count(child(frame, "usageMetadata", "candidatesTokenCount")),
        costMicroRub: count(child(frame, "usageMetadata", "cost_micro_rub")),
        error: text(child(frame, "error", "message")),
      });
    },
  },
  "ollama-chat": {
    body: (question) => ({ model: question.model, stream: true, options: { num_predict: question.cap }, messages: messages(question) }),
    hear: (frame) =>
      heard({
        text: text(child(frame, "message", "content")),
        thought: text(child(frame, "message", "thinking")),
        outputTokens: count(frame["eval_count"]),
        costMicroRub: count(frame["cost_micro_rub"]),
        error: text(frame["error"]) ?? text(child(frame, "error", "message")),
      }),
  },
};
