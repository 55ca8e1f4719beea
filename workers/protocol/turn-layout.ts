/**
 * Turns laid out for wires that know only `user` and `assistant`: system text apart, turns of one role joined, and all results of a turn's
 * calls together at the head of the user message right after it (protocols.md §5.5).
 */
import type { ProtocolId } from "../../schema/protocol.ts";
import type { Block, CanonicalRequest, Loss } from "./canonical.ts";
import { lossFor } from "./losses.ts";

export interface LaidMessage {
  role: "user" | "assistant";
  content: object[];
}

export interface LayoutRules {
  target: ProtocolId;
  /** One block in the wire's words: nothing where it cannot be carried (which `render` itself reports), several where the wire needs them. */
  render: (block: Block) => object[];
  /** Whether a rendered block is a tool's result. */
  isResult: (rendered: object) => boolean;
}

/** System blocks and messages of a request; what could not stay where it was is added to `losses`. */
export function layTurns(
  request: CanonicalRequest,
  { target, render, isResult }: LayoutRules,
  losses: Loss[],
): { system: object[]; messages: LaidMessage[] } {
  const system: object[] = [];
  const messages: LaidMessage[] = [];
  for (const turn of request.turns) {
    const isSystem = turn.role === "system" || turn.role === "developer";
    // A result's name is its call's, which the wire knows by the id.
    if (turn.name !== null && turn.role !== "tool") losses.push(lossFor("messages.name", target));
    if (isSystem && messages.length === 0) {
      for (const block of turn.blocks.flatMap(render)) system.push(block);
      continue;
    }
    if (isSystem) losses.push(lossFor("messages.system-position", target));
    const blocks = isSystem ? systemAsUser(turn.blocks) : turn.blocks;
    addMessage(messages, turn.role === "assistant" ? "assistant" : "user", blocks.flatMap(render));
  }
  if (messages.length === 0 && system.length > 0) {
    // The wire demands a message; a request of nothing but system text is the user's word here.
    losses.push(lossFor("messages.system-position", target));
    messages.push({ role: "user", content: system.splice(0) });
  }
  trimPrefill(messages.at(-1), target, losses);
  return { system, messages: messages.map((message) => resultsFirst(message, isResult)) };
}

/** A trailing assistant message is a prefill, which may not end in white space. */
function trimPrefill(last: LaidMessage | undefined, target: ProtocolId, losses: Loss[]): void {
  const block = last?.role === "assistant" ? last.content.at(-1) : undefined;
  if (last === undefined || block === undefined || !("text" in block) || typeof block.text !== "string") return;
  if (block.text === block.text.trimEnd()) return;
  last.content[last.content.length - 1] = { ...block, text: block.text.trimEnd() };
  losses.push(lossFor("messages.trailing-space", target, { path: "messages.content", note: "space at the end removed" }));
}

/** A system text in the middle of a conversation becomes a user's, and says what it is. */
function systemAsUser(blocks: readonly Block[]): Block[] {
  return blocks.map((block) => (block.type === "text" ? { ...block, text: `<system>\n${block.text}\n</system>` } : block));
}

/** Consecutive turns of one role are one message here, which also brings all results of a turn's calls together. */
function addMessage(messages: LaidMessage[], role: LaidMessage["role"], content: object[]): void {
  if (content.length === 0) return;
  const last = messages.at(-1);
  if (last?.role !== role) messages.push({ role, content });
  // One by one: a call takes only so many arguments.
  else for (const block of content) last.content.push(block);
}

function resultsFirst(message: LaidMessage, isResult: (rendered: object) => boolean): LaidMessage {
  if (message.role !== "user") return message;
  const rest = message.content.filter((block) => !isResult(block));
  return { role: "user", content: [...message.content.filter(isResult), ...rest] };
}
