/**
 * Puts tool calls together from the deltas of one choice. The index is the wire's key for a call, yet providers leave it out, reuse
 * it, repeat the id in each delta, or send several whole calls in one chunk (protocols.md §5.1: 1, 2, 9); all of these read alike.
 */
import { isObject, type JsonObject, parseJson } from "../../../schema/json.ts";
import type { CanonicalEvent } from "../canonical.ts";

/** One call. Its block opens once the name is known, and may stay open while others open, until its arguments are complete. */
interface ToolCallState {
  block: number;
  index: number | null;
  id: string;
  name: string;
  argumentsText: string;
  custom: boolean;
  opened: boolean;
  closed: boolean;
}

/** What the reader of one choice lends to its calls. */
export interface ToolCallScope {
  choice: number;
  nextBlock: () => number;
  /** An id for a call whose provider gave none; the same for the same stream. */
  synthesiseId: () => string;
  /** Closes text and reasoning before a call opens. */
  beforeOpen: (out: CanonicalEvent[]) => void;
}

function textOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

function isComplete(call: ToolCallState): boolean {
  return !call.custom && call.argumentsText.startsWith("{") && parseJson(call.argumentsText).ok;
}

export interface ToolCallReader {
  /** Reads one `tool_calls` list. `whole`: each entry is a call of its own, as in a unary message. */
  read(list: readonly unknown[], whole: boolean, out: CanonicalEvent[]): void;
  closeComplete(out: CanonicalEvent[]): void;
  closeAll(out: CanonicalEvent[]): void;
  count(): number;
}

export function createToolCallReader(scope: ToolCallScope): ToolCallReader {
  const calls: ToolCallState[] = [];
  return {
    read(list, whole, out) {
      for (const entry of list) if (isObject(entry)) readCall(calls, scope, entry, whole, out);
    },
    closeComplete(out) {
      closeComplete(calls, scope, out);
    },
    closeAll(out) {
      for (const call of calls) close(call, scope, out);
    },
    count: () => calls.length,
  };
}

/** The call a delta belongs to; undefined when the delta begins a new one. */
function findCall(
  calls: readonly ToolCallState[],
  index: number | null,
  id: string | null,
  name: string | null,
): ToolCallState | undefined {
  if (index !== null) {
    const call = calls.findLast((candidate) => candidate.index === index);
    // The same index with another id and a name of its own is a new call that reuses the index.
    const reused = call !== undefined && id !== null && name !== null && id !== call.id;
    return reused ? undefined : call;
  }
  if (id !== null) return calls.findLast((candidate) => candidate.id === id);
  return name === null ? calls.at(-1) : undefined;
}

function readCall(calls: ToolCallState[], scope: ToolCallScope, entry: JsonObject, whole: boolean, out: CanonicalEvent[]): void {
  // Some print every member of the API, empty where it is not meant: an empty `custom` beside a function is nothing.
  const custom = isObject(entry["custom"]) && (entry["type"] === "custom" || !isObject(entry["function"]));
  const body = custom ? entry["custom"] : entry["function"];
  const definition = isObject(body) ? body : {};
  const index = typeof entry["index"] === "number" ? entry["index"] : null;
  const id = textOf(entry["id"]);
  const name = textOf(definition["name"]);
  let call = whole ? undefined : findCall(calls, index, id, name);
  if (call === undefined) {
    scope.beforeOpen(out);
    closeComplete(calls, scope, out);
    call = {
      block: scope.nextBlock(),
      index,
      id: id ?? scope.synthesiseId(),
      name: "",
      argumentsText: "",
      custom,
      opened: false,
      closed: false,
    };
    calls.push(call);
  }
  if (!call.opened && name !== null) {
    call.name = name;
    open(call, scope, out);
  }
  const value = custom ? definition["input"] : definition["arguments"];
  append(call, typeof value === "string" ? value : value === null || value === undefined ? "" : JSON.stringify(value), out);
}

function open(call: ToolCallState, scope: ToolCallScope, out: CanonicalEvent[]): void {
  call.opened = true;
  out.push({ type: "tool-input-start", block: call.block, choice: scope.choice, id: call.id, name: call.name });
  if (call.custom) out.push({ type: "tool-input-delta", block: call.block, text: '{"input":"' });
  if (call.argumentsText !== "") out.push({ type: "tool-input-delta", block: call.block, text: call.argumentsText });
}

function append(call: ToolCallState, text: string, out: CanonicalEvent[]): void {
  if (text === "" || call.closed) return;
  // A custom tool's input is free text; in the hub it is the one member of a JSON object, escaped piece by piece.
  const piece = call.custom ? JSON.stringify(text).slice(1, -1) : text;
  call.argumentsText += piece;
  if (call.opened) out.push({ type: "tool-input-delta", block: call.block, text: piece });
}

function close(call: ToolCallState, scope: ToolCallScope, out: CanonicalEvent[]): void {
  if (call.closed) return;
  if (!call.opened) open(call, scope, out);
  if (call.custom) out.push({ type: "tool-input-delta", block: call.block, text: '"}' });
  call.closed = true;
  out.push({ type: "tool-input-end", block: call.block });
}

function closeComplete(calls: readonly ToolCallState[], scope: ToolCallScope, out: CanonicalEvent[]): void {
  for (const call of calls) {
    if (!call.closed && isComplete(call)) close(call, scope, out);
  }
}
