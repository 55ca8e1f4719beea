/**
 * Ollama's two endpoints speak one wire: the same lines, counts, options and errors. They differ in where a line keeps what the model says:
 * `/api/chat` in its `message`, `/api/generate` in the line itself.
 */
import { isObject, type JsonObject } from "../../../schema/json.ts";
import type { ProtocolId } from "../../../schema/protocol.ts";
import type { RawJson } from "../json-text.ts";

export interface LineShape {
  protocol: ProtocolId;
  /** Path from a line to the object that holds text, thinking and calls. */
  holder: readonly string[];
  /** The member of that object with the text. */
  textMember: "content" | "response";
}

/** What one line says. */
export interface Said {
  text: string;
  thinking?: string;
  calls?: readonly RawJson[];
  /** Base64 bytes of pictures the model made; only `/api/chat` has a place for them. */
  images?: readonly string[];
}

/** The object of a line that holds what the model says; null when the line is none of the model's. */
export function holderOf(line: JsonObject, shape: LineShape): JsonObject | null {
  if (shape.holder.length === 0) return typeof line[shape.textMember] === "string" || line["done"] === true ? line : null;
  const message = line["message"];
  return isObject(message) ? message : null;
}

/** The members of a line that say it. */
export function saidMembers(said: Said, shape: LineShape): JsonObject {
  const members = {
    [shape.textMember]: said.text,
    ...(said.thinking === undefined ? {} : { thinking: said.thinking }),
    ...(said.calls === undefined || said.calls.length === 0 ? {} : { tool_calls: said.calls }),
  };
  if (shape.holder.length === 0) return members;
  const images = said.images === undefined || said.images.length === 0 ? {} : { images: said.images };
  return { message: { role: "assistant", ...members, ...images } };
}
