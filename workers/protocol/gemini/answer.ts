/**
 * Reads a provider's answer, chunk by chunk or whole. The wire has no terminator and may give a finish reason twice, with content between
 * (protocols.md §4): so a finish is told when the body ends, the last reason counts, and an end without one is a truncation.
 */
import type { GatewayError } from "../../../schema/error.ts";
import { isObject, type JsonObject } from "../../../schema/json.ts";
import type { CanonicalEvent } from "../canonical.ts";
import { elementSlices, sliceAt } from "../json-text.ts";
import { truncatedError, upstreamErrorOf } from "../upstream-error.ts";
import { createPartReader, type PartReader } from "./part-reader.ts";
import { readFinish } from "./stop-reason.ts";
import { readUsage } from "./usage.ts";

interface CandidateState {
  index: number;
  parts: PartReader;
  finish: { raw: string; detailsJson: string | null } | null;
}

interface AnswerState {
  candidates: Map<number, CandidateState>;
  nextBlock: number;
  started: boolean;
  ended: boolean;
  answerId: string;
  calls: number;
  /** Why the prompt itself was refused; then there is no candidate. */
  blocked: { raw: string; detailsJson: string } | null;
  /** The last usage, while no final one has come. */
  provisional: Extract<CanonicalEvent, { type: "usage" }> | null;
}

export interface AnswerReader {
  /** Reads one chunk, or a whole body. False: it is nothing of this wire. */
  read(body: JsonObject, bodyText: string, out: CanonicalEvent[]): boolean;
  /** The body ended. `whole`: it was one body, in which a candidate that gives no reason has simply stopped. */
  end(whole: boolean, out: CanonicalEvent[]): void;
  fail(error: GatewayError, out: CanonicalEvent[]): void;
  ended(): boolean;
}

const MEMBERS = ["candidates", "promptFeedback", "usageMetadata", "modelVersion"];

/** What a candidate says beside its content, for callers of this wire and for whoever shows sources. */
const SOURCES = ["groundingMetadata", "citationMetadata", "urlContextMetadata"];

export function createAnswerReader(): AnswerReader {
  const state: AnswerState = {
    candidates: new Map(),
    nextBlock: 0,
    started: false,
    ended: false,
    answerId: "answer",
    calls: 0,
    blocked: null,
    provisional: null,
  };
  return {
    read: (body, bodyText, out) => state.ended || read(state, body, bodyText, out),
    end(whole, out) {
      if (!state.ended) end(state, whole, out);
    },
    fail(error, out) {
      fail(state, error, out);
    },
    ended: () => state.ended,
  };
}

function fail(state: AnswerState, error: GatewayError, out: CanonicalEvent[]): void {
  if (state.ended) return;
  for (const candidate of state.candidates.values()) candidate.parts.closeAll(out);
  state.ended = true;
  out.push({ type: "error", error });
}

function read(state: AnswerState, body: JsonObject, bodyText: string, out: CanonicalEvent[]): boolean {
  if (body["error"] !== undefined && body["error"] !== null) {
    fail(state, upstreamErrorOf(body), out);
    return true;
  }
  if (!MEMBERS.some((member) => member in body)) return false;
  if (!state.started) start(state, body, out);
  const list = Array.isArray(body["candidates"]) ? body["candidates"] : [];
  for (const [position, candidate] of list.entries()) {
    if (isObject(candidate)) readCandidate(state, candidate, { position, bodyText }, out);
  }
  readFeedback(state, body["promptFeedback"], list.length === 0);
  addUsage(state, body["usageMetadata"], out);
  return true;
}

function start(state: AnswerState, body: JsonObject, out: CanonicalEvent[]): void {
  state.started = true;
  const { responseId: id, modelVersion: model, createTime: created } = body;
  if (typeof id === "string" && id !== "") state.answerId = id.replace(/[^a-zA-Z0-9]/g, "").slice(-24);
  const milliseconds = typeof created === "string" ? Date.parse(created) : Number.NaN;
  out.push({
    type: "start",
    id: typeof id === "string" && id !== "" ? id : null,
    model: typeof model === "string" && model !== "" ? model : null,
    createdSeconds: Number.isNaN(milliseconds) ? null : Math.floor(milliseconds / 1000),
  });
}

function candidateAt(state: AnswerState, index: number): CandidateState {
  const known = state.candidates.get(index);
  if (known !== undefined) return known;
  const parts = createPartReader({
    choice: index,
    nextBlock: () => state.nextBlock++,
    synthesiseId: () => `call_${state.answerId}_${state.calls++}`,
  });
  const candidate: CandidateState = { index, parts, finish: null };
  state.candidates.set(index, candidate);
  return candidate;
}

function readCandidate(state: AnswerState, raw: JsonObject, where: { position: number; bodyText: string }, out: CanonicalEvent[]): void {
  const candidate = candidateAt(state, typeof raw["index"] === "number" ? raw["index"] : where.position);
  const content = isObject(raw["content"]) ? raw["content"] : {};
  const parts = Array.isArray(content["parts"]) ? content["parts"] : [];
  let sources: string[] | null = null;
  const sourceOf = (index: number): string => {
    sources ??= elementSlices(where.bodyText, ["candidates", where.position, "content", "parts"]);
    return sources[index] ?? "{}";
  };
  for (const [index, part] of parts.entries()) if (isObject(part)) candidate.parts.read(part, () => sourceOf(index), out);
  for (const member of SOURCES) {
    if (!isObject(raw[member]) || Object.keys(raw[member]).length === 0) continue;
    const json = sliceAt(where.bodyText, ["candidates", where.position, member]) ?? "{}";
    out.push({ type: "source", block: null, choice: candidate.index, json: `{${JSON.stringify(member)}:${json}}` });
  }
  const reason = raw["finishReason"];
  if (typeof reason !== "string" || reason === "") return;
  const message = raw["finishMessage"];
  candidate.finish = { raw: reason, detailsJson: typeof message === "string" ? JSON.stringify({ finishMessage: message }) : null };
}

/** Without any candidate, feedback on the prompt says that it was blocked; beside candidates it is only ratings. */
function readFeedback(state: AnswerState, feedback: unknown, alone: boolean): void {
  if (!isObject(feedback)) return;
  const reason = feedback["blockReason"];
  if (typeof reason === "string" && reason !== "") state.blocked = { raw: reason, detailsJson: JSON.stringify(feedback) };
  else if (alone) state.blocked ??= { raw: "", detailsJson: JSON.stringify(feedback) };
}

/** Every event repeats what was counted so far; the one beside (or after) the last finish is definite. */
function addUsage(state: AnswerState, metadata: unknown, out: CanonicalEvent[]): void {
  const usage = isObject(metadata) ? readUsage(metadata) : null;
  if (usage === null) return;
  const event = { type: "usage" as const, usage: usage.usage, final: isFinished(state), anomaly: usage.anomaly };
  state.provisional = event.final ? null : event;
  out.push(event);
}

function isFinished(state: AnswerState): boolean {
  if (state.candidates.size === 0) return state.blocked !== null;
  return [...state.candidates.values()].every((candidate) => candidate.finish !== null);
}

function end(state: AnswerState, whole: boolean, out: CanonicalEvent[]): void {
  for (const candidate of state.candidates.values()) candidate.parts.closeAll(out);
  const isOver = isFinished(state) || (whole && state.candidates.size > 0) || (state.blocked?.raw ?? "") !== "";
  if (!isOver) return fail(state, truncatedError(), out);
  for (const { index, parts, finish } of state.candidates.values()) {
    const { raw, detailsJson } = finish ?? state.blocked ?? { raw: "", detailsJson: null };
    const unified = finish === null && state.blocked !== null ? "content-filter" : readFinish(raw, parts.calls());
    out.push({ type: "finish", choice: index, unified, raw, stopSequence: null, detailsJson });
  }
  if (state.candidates.size === 0 && state.blocked !== null)
    out.push({
      type: "finish",
      choice: 0,
      unified: "content-filter",
      raw: state.blocked.raw,
      stopSequence: null,
      detailsJson: state.blocked.detailsJson,
    });
  // A whole body that gives no finish reason still gave its definite usage.
  if (state.provisional !== null) out.push({ ...state.provisional, final: true });
  state.ended = true;
  out.push({ type: "end" });
}
