// data table
/**
 * What a wire has no word for in an answer, and what becomes of it there: the one list of losses that conformance allows. A row changes
 * the facts of an answer to what that wire can say; an answer that no row changes must arrive unchanged, and one that a row does
 * change must arrive exactly so changed, and is counted as a listed exception with the row's reason.
 */
import type { ProtocolId } from "../../schema/protocol.ts";
import { isObject } from "../../schema/json.ts";
import type { FinishReason } from "../../workers/protocol/canonical.ts";
import type { ChoiceFacts, Facts, Said, UsageFacts } from "./facts.ts";

/** How an answer travels: as a stream, or as one body. */
export type Form = "stream" | "whole";

export interface Row {
  /** Wires that lack the word. */
  formats: readonly ProtocolId[];
  /** Left out: in both forms. */
  form?: Form;
  /** The client sees what was said; only whoever reads the answer back makes something else of it. */
  onReturn?: true;
  /** What is lost, and why. */
  reason: string;
  change: (facts: Facts) => Facts;
}

const CHAT: readonly ProtocolId[] = ["openai-chat"];
const RESPONSES: readonly ProtocolId[] = ["openai-responses"];
const ANTHROPIC: readonly ProtocolId[] = ["anthropic-messages", "bedrock-invoke"];
const CONVERSE: readonly ProtocolId[] = ["bedrock-converse"];
const GEMINI: readonly ProtocolId[] = ["gemini"];
const OLLAMA: readonly ProtocolId[] = ["ollama-chat", "ollama-generate"];
const COHERE: readonly ProtocolId[] = ["cohere-chat"];
const ALL: readonly ProtocolId[] = [...CHAT, ...RESPONSES, ...ANTHROPIC, ...CONVERSE, ...GEMINI, ...OLLAMA, ...COHERE];
/** Wires whose arguments are a JSON object and no text. */
const OBJECTS: readonly ProtocolId[] = [...GEMINI, ...OLLAMA];

const inChoices =
  (change: (choice: ChoiceFacts) => ChoiceFacts) =>
  (facts: Facts): Facts => ({ ...facts, choices: facts.choices.map(change) });

const inSaid = (change: (said: Said) => Said | null) =>
  inChoices((choice) => ({ ...choice, said: joined(choice.said.map(change).filter((said) => said !== null)) }));

const inUsage =
  (change: (usage: UsageFacts) => UsageFacts | null) =>
  (facts: Facts): Facts => ({ ...facts, usage: facts.usage === null ? null : change(facts.usage) });

/** Neighbours that have become of one kind are one. */
function joined(list: readonly Said[]): Said[] {
  const said: Said[] = [];
  for (const each of list) {
    const last = said.at(-1);
    if (last?.kind === each.kind && each.kind !== "call" && each.kind !== "file") last.text += each.text;
    else said.push({ ...each });
  }
  return said;
}

const UNCOUNTED: UsageFacts = { input: null, cacheRead: 0, write5m: 0, write1h: 0, output: null, reasoning: 0 };

const inOrder = (kinds: readonly Said["kind"][]) =>
  inChoices((choice) => ({ ...choice, said: joined(kinds.flatMap((kind) => choice.said.filter((said) => said.kind === kind))) }));

const inArguments = (change: (text: string) => string) =>
  inSaid((said) => (said.kind === "call" ? { ...said, text: change(said.text) } : said));

function asObject(text: string): string {
  try {
    if (isObject(JSON.parse(text))) return text.trim();
  } catch {
    // No JSON: wrapped below.
  }
  return JSON.stringify({ _raw: text });
}

const finishAs = (words: Partial<Record<FinishReason, FinishReason>>) =>
  inChoices((choice) => ({ ...choice, finish: choice.finish === null ? null : (words[choice.finish] ?? choice.finish) }));

const calls = (choice: ChoiceFacts): boolean => choice.said.some(({ kind }) => kind === "call");

const refuses = (choice: ChoiceFacts): boolean => choice.said.some(({ kind }) => kind === "refusal");

const isBase64 = (text: string): boolean => Buffer.from(text, "base64").toString("base64") === text;

export const NO_WORD_FOR: readonly Row[] = [
  // --- what is said
  {
    formats: [...RESPONSES, ...ANTHROPIC, ...CONVERSE, ...OLLAMA, ...COHERE],
    reason: "several choices: the wire has one answer, the first is it",
    change: (facts) => ({ ...facts, choices: facts.choices.filter(({ index }) => index === 0) }),
  },
  {
    formats: ALL,
    reason: "sources and blocks of the provider's own tools belong to its wire",
    change: (facts) => ({ ...facts, beside: 0 }),
  },
  {
    formats: [...CHAT, ...OLLAMA, ...COHERE],
    reason: "signatures and redacted reasoning: the wire has no member for opaque state",
    change: inChoices((choice) => ({ ...choice, states: [] })),
  },
  {
    formats: [...CHAT, ...ANTHROPIC, ...OLLAMA, ...COHERE],
    reason: "a file in an answer: the wire has none (Ollama's clients show it, its answers name no type)",
    change: inSaid((said) => (said.kind === "file" ? null : said)),
  },
  {
    formats: RESPONSES,
    reason: "a file that is no picture: the wire has none in an answer",
    change: inSaid((said) => (said.kind === "file" && !said.name.startsWith("image/") ? null : said)),
  },
  {
    formats: CONVERSE,
    reason: "a file that is no picture, or whose bytes are no base64: the wire has none in an answer",
    change: inSaid((said) => (said.kind === "file" && !(said.name.startsWith("image/") && isBase64(said.text)) ? null : said)),
  },
  {
    formats: [...ANTHROPIC, ...CONVERSE, ...GEMINI, ...OLLAMA, ...COHERE],
    reason: "a refusal in words is text there, and the finish tells",
    change: (facts) =>
      inSaid((said) => (said.kind === "refusal" ? { ...said, kind: "text" } : said))(
        inChoices((choice) =>
          refuses(choice) ? { ...choice, finish: choice.finish === "content-filter" ? choice.finish : "refusal" } : choice,
        )(facts),
      ),
  },
  {
    formats: [...CHAT, ...OLLAMA],
    form: "whole",
    reason: "the order of blocks: a whole message has one member each for reasoning, text and calls",
    change: inOrder(["reasoning", "text", "refusal", "call"]),
  },
  {
    formats: COHERE,
    form: "whole",
    reason: "the order of calls among text: a whole message has a list of its own for each",
    change: inChoices((choice) => ({
      ...choice,
      said: joined([...choice.said.filter(({ kind }) => kind !== "call"), ...choice.said.filter(({ kind }) => kind === "call")]),
    })),
  },
  // --- arguments
  {
    formats: ALL,
    reason: "no arguments at all (nothing, or null) are an empty object",
    change: inArguments((text) => (text.trim() === "" || text.trim() === "null" ? "{}" : text)),
  },
  {
    formats: OBJECTS,
    reason: "arguments that are no JSON object: the wire has only objects, they travel inside one",
    change: inArguments(asObject),
  },
  {
    formats: [...ANTHROPIC, ...CONVERSE],
    form: "whole",
    reason: "arguments that are no JSON object: a whole message has only objects, they travel inside one",
    change: inArguments(asObject),
  },
  {
    formats: ANTHROPIC,
    form: "stream",
    reason: "arguments that do not begin as a JSON object: clients parse every piece, so they travel inside one",
    change: inArguments((text) => (text.trimStart().startsWith("{") ? text : asObject(text))),
  },
  {
    formats: OBJECTS,
    form: "stream",
    reason: "line breaks between the tokens of arguments: an event is one line there, they are spaces",
    change: inArguments((text) => text.replace(/[\r\n]+/g, " ")),
  },
  // --- the finish
  {
    formats: [...CHAT, ...RESPONSES, ...GEMINI, ...OLLAMA, ...COHERE],
    reason: "which stop sequence it was: the wire does not say",
    change: inChoices((choice) => ({ ...choice, stopSequence: null })),
  },
  {
    formats: [...CHAT, ...RESPONSES, ...GEMINI, ...OLLAMA],
    reason: "a stop sequence, a pause: the wire knows a stop",
    change: finishAs({ "stop-sequence": "stop", pause: "stop" }),
  },
  {
    formats: [...CONVERSE, ...COHERE],
    reason: "a pause: the wire knows a stop",
    change: finishAs({ pause: "stop" }),
  },
  {
    formats: [...CHAT, ...RESPONSES, ...GEMINI, ...OLLAMA],
    reason: "a full context: the wire knows one kind of cut",
    change: finishAs({ "context-full": "length" }),
  },
  {
    formats: [...CHAT, ...RESPONSES],
    reason: "a refusal without words of its own is a filter's",
    change: inChoices((choice) => ({
      ...choice,
      finish: choice.finish === "refusal" && !refuses(choice) ? "content-filter" : choice.finish,
    })),
  },
  {
    formats: [...CONVERSE, ...GEMINI, ...COHERE],
    reason: "a refusal: the wire knows filtered content",
    change: finishAs({ refusal: "content-filter" }),
  },
  {
    formats: ANTHROPIC,
    reason: "a filter: the wire knows a refusal",
    change: finishAs({ "content-filter": "refusal" }),
  },
  {
    formats: ANTHROPIC,
    reason: "a stop sequence nobody named: half a fact, so it is a plain stop",
    change: inChoices((choice) => ({
      ...choice,
      finish: choice.finish === "stop-sequence" && choice.stopSequence === null ? "stop" : choice.finish,
    })),
  },
  {
    formats: [...CHAT, ...RESPONSES, ...ANTHROPIC, ...OLLAMA, ...COHERE],
    reason: "a malformed call: the wire has no word for it",
    change: finishAs({ malformed: "stop" }),
  },
  {
    formats: [...CHAT, ...RESPONSES, ...GEMINI, ...OLLAMA, ...COHERE],
    onReturn: true,
    reason: "a stop beside calls reads as a stop for them",
    change: inChoices((choice) => ({ ...choice, finish: choice.finish === "stop" && calls(choice) ? "tool-calls" : choice.finish })),
  },
  {
    formats: [...RESPONSES, ...GEMINI, ...OLLAMA],
    reason: "a stop for calls without any is a stop",
    change: inChoices((choice) => ({ ...choice, finish: choice.finish === "tool-calls" && !calls(choice) ? "stop" : choice.finish })),
  },
  // --- usage
  {
    formats: [...CHAT, ...RESPONSES, ...COHERE],
    reason: "usage of which one side is unknown: the wire demands both, so it goes unsaid",
    change: inUsage((usage) => (usage.input === null || usage.output === null ? null : usage)),
  },
  {
    formats: ANTHROPIC,
    form: "stream",
    reason: "an unknown prompt count: the wire's clients demand a number at the start, which is 0",
    change: (facts) => ({ ...facts, usage: { ...(facts.usage ?? UNCOUNTED), input: facts.usage?.input ?? 0 } }),
  },
  {
    formats: [...OLLAMA, ...COHERE],
    reason: "what came from the cache: the wire counts one prompt",
    change: inUsage((usage) => ({
      ...usage,
      input: usage.input === null ? null : usage.input + usage.cacheRead + usage.write5m + usage.write1h,
      cacheRead: 0,
      write5m: 0,
      write1h: 0,
    })),
  },
  {
    formats: GEMINI,
    reason: "what was written to the cache: the wire counts it with the prompt",
    change: inUsage((usage) => ({
      ...usage,
      input: usage.input === null ? null : usage.input + usage.write5m + usage.write1h,
      write5m: 0,
      write1h: 0,
    })),
  },
  {
    formats: [...CONVERSE, ...OLLAMA],
    reason: "how much of the output was reasoning: the wire does not say",
    change: inUsage((usage) => ({ ...usage, reasoning: 0 })),
  },
];

/** The facts as a wire can say them, and the reasons of the rows that changed them. */
export function sayable(
  facts: Facts,
  format: ProtocolId,
  form: Form,
  options: { seenByClient?: boolean } = {},
): { facts: Facts; reasons: string[] } {
  const reasons: string[] = [];
  let said = facts;
  for (const row of NO_WORD_FOR) {
    if (!row.formats.includes(format) || (row.form !== undefined && row.form !== form)) continue;
    if (row.onReturn === true && options.seenByClient === true) continue;
    const changed = row.change(said);
    if (JSON.stringify(changed) !== JSON.stringify(said)) reasons.push(row.reason);
    said = changed;
  }
  return { facts: said, reasons };
}
