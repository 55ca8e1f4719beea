/** Traps of requests: what a caller may send that a plain reader of its wire would refuse, merge or lose. */
import { expect } from "vitest";
import type { ProtocolId } from "../../../schema/protocol.ts";
import type { CanonicalRequest } from "../../../workers/protocol/canonical.ts";
import { PROTOCOLS } from "../../../workers/protocol/index.ts";
import type { RenderedRequest } from "../../../workers/protocol/protocol.ts";
import type { Json } from "../readings/reading.ts";

export interface RequestTrap {
  protocol: ProtocolId;
  name: string;
  says: string;
  /** A body of our own that shows it. */
  own: Json;
  shows: (body: Json) => boolean;
  check: (bodyText: string) => void;
}

const target = { model: "m-1", quirks: {}, maxOutputTokens: 1000 };

function parsed(protocol: ProtocolId, bodyText: string): CanonicalRequest {
  const request = PROTOCOLS[protocol].parseRequest(bodyText);
  if (!request.ok) throw new Error(request.error.message);
  return request.value;
}

function renderedFor(protocol: ProtocolId, request: CanonicalRequest): { body: Json; losses: RenderedRequest["losses"] } {
  const { body, losses } = PROTOCOLS[protocol].renderRequest(request, target);
  return { body: JSON.parse(body), losses };
}

/** The caller's own wire gets the caller's own words, but for the model's name. */
function expectPassed(protocol: ProtocolId, bodyText: string): void {
  const spliced = PROTOCOLS[protocol].spliceRequest(bodyText, parsed(protocol, bodyText), target);
  expect(JSON.parse(spliced).messages).toEqual(JSON.parse(bodyText).messages);
}

/** Texts of a message's content, whatever its shape. */
function textsOf(content: Json): string[] {
  if (typeof content === "string") return [content];
  return (content ?? []).flatMap((block: Json) => (typeof block.text === "string" ? [block.text] : []));
}

export const REQUEST_TRAPS: readonly RequestTrap[] = [
  {
    protocol: "anthropic-messages",
    name: "req-consecutive-same-role",
    says: "messages of one role in a row are all sent, in order, a tool's result before what the user says",
    own: {
      model: "m-1",
      max_tokens: 64,
      tools: [{ name: "sum", input_schema: { type: "object", properties: { of: { type: "array" } } } }],
      messages: [
        { role: "user", content: "Add the tides." },
        { role: "assistant", content: [{ type: "tool_use", id: "toolu_1", name: "sum", input: { of: [1, 2] } }] },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_1", content: "3" }] },
        { role: "user", content: "Was it three?" },
      ],
    },
    shows: (body) => body.messages.some((message: Json, index: number) => message.role === body.messages[index - 1]?.role),
    check(bodyText) {
      expectPassed("anthropic-messages", bodyText);
      const sent: Json = JSON.parse(bodyText);
      const last: string = textsOf(sent.messages.at(-1).content)[0] ?? "";
      const request = parsed("anthropic-messages", bodyText);
      const chat = renderedFor("openai-chat", request).body.messages;
      expect(chat.slice(-2).map(({ role }: Json) => role)).toEqual(["tool", "user"]);
      expect(textsOf(chat.at(-1).content)).toEqual([last]);
      // Bedrock takes turns only: the result and the words after it are one user turn.
      const bedrock = renderedFor("bedrock-converse", request).body.messages;
      expect(bedrock.every((message: Json, index: number) => message.role !== bedrock[index - 1]?.role)).toBe(true);
      expect(bedrock.at(-1).content[0].toolResult).toBeDefined();
      expect(textsOf(bedrock.at(-1).content)).toEqual([last]);
    },
  },
  {
    protocol: "anthropic-messages",
    name: "req-mid-conversation-system",
    says: "a system message in the middle stays where it is, or is named as moved",
    own: {
      model: "m-1",
      max_tokens: 64,
      messages: [
        { role: "user", content: "Find me a boat." },
        { role: "system", content: "Only rowing boats are left." },
        { role: "user", content: "A fast one, please." },
      ],
    },
    shows: (body) => body.messages.some((message: Json, index: number) => message.role === "system" && index > 0),
    check(bodyText) {
      expectPassed("anthropic-messages", bodyText);
      const place: number = JSON.parse(bodyText).messages.findIndex(({ role }: Json) => role === "system");
      const request = parsed("anthropic-messages", bodyText);
      const at = request.turns.findIndex(({ role }) => role === "system");
      expect(at).toBe(place);
      for (const protocol of ["gemini", "bedrock-converse"] as const) {
        const named = renderedFor(protocol, request).losses.map(({ path }) => path);
        const isText = request.turns[at]?.blocks.every(({ type }) => type === "text") === true;
        // What is no text is a loss of its own.
        expect(named.some((path) => path.startsWith(isText ? "messages.system-position" : "messages"))).toBe(true);
      }
    },
  },
];
