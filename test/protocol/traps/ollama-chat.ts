/** Traps of Ollama's chat. */
import { expect } from "vitest";
import type { Json } from "../readings/reading.ts";
import { expectSaid, expectUntouched, type Trap, type TrapAnswer } from "./trap.ts";

function messagesOf({ documents }: TrapAnswer): Json[] {
  return documents.map((document) => document.message).filter((message) => message);
}

function callsOf(answer: TrapAnswer): Json[] {
  return messagesOf(answer).flatMap((message) => message.tool_calls ?? []);
}

export const OLLAMA_CHAT_TRAPS: readonly Trap[] = [
  {
    name: "no-prompt_eval_count",
    says: "a prompt that nobody counted is unknown, not zero",
    own: ["prompt-cached.json", "prompt-cached.ndjson"],
    shows: ({ documents }) =>
      documents.some((document) => document.done && document.eval_count && document.prompt_eval_count === undefined),
    check(answer) {
      expect(answer.meter.usage).toMatchObject({ input_tokens: null, output_tokens: answer.documents.at(-1)?.eval_count });
      expect(answer.bytesFor("openai-chat")).not.toContain('"prompt_tokens":0');
      expectUntouched(answer);
      expectSaid(answer);
    },
  },
  {
    name: "thinking-field",
    says: "thinking beside the content is reasoning",
    own: ["thinking.json", "thinking-then-text.ndjson"],
    shows: (answer) => messagesOf(answer).some((message) => message.thinking),
    check(answer) {
      expect(answer.summary.choices[0]?.reasoning).toBe(answer.reading.reasoning);
      expect(answer.readingFor("anthropic-messages").reasoning).toBe(answer.reading.reasoning);
      expect(answer.readingFor("openai-chat").reasoning).toBe(answer.reading.reasoning);
      expectSaid(answer);
    },
  },
  {
    name: "tool-args-object",
    says: "arguments that are an object are carried as the text they came as",
    own: ["tools.json", "tools-parallel.ndjson"],
    shows: (answer) => callsOf(answer).some((call) => typeof call.function.arguments === "object"),
    check(answer) {
      const calls = answer.summary.choices[0]?.calls ?? [];
      expect(calls).toHaveLength(callsOf(answer).length);
      for (const { args } of [...calls, ...answer.readingFor("openai-chat").calls]) if (args !== "{}") expect(answer.text).toContain(args);
      expectUntouched(answer);
      expectSaid(answer);
    },
  },
  {
    name: "tool-calls-with-done_reason-stop",
    says: "an answer that called says so, whatever its done_reason",
    own: ["tools.json", "tools-parallel.ndjson"],
    shows: (answer) => callsOf(answer).length > 0 && answer.documents.some((document) => document.done_reason === "stop"),
    check(answer) {
      expect(answer.summary.choices[0]).toMatchObject({ finish: "tool-calls", raw: "stop" });
      expect(answer.readingFor("openai-chat").finish).toBe("tool_calls");
      expect(answer.readingFor("anthropic-messages").finish).toBe("tool_use");
      expectUntouched(answer);
    },
  },
];
