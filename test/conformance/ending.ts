/** How a client's stream ends, told from its last bytes alone and without the code under test. */
import { isObject } from "../../schema/json.ts";
import { plainFrames } from "../protocol/frames.ts";
import { SDKS, type ClientId } from "./sdk/index.ts";

interface Ending {
  /** Bytes that only a successful end holds. */
  success: readonly string[];
  isError: (bytes: Buffer) => boolean;
}

/** Long enough for the longest error event. */
const TAIL_BYTES = 8 * 1024;

/** The last line that holds anything, without its field's name. */
function lastJson(bytes: Buffer): unknown {
  const text = bytes.subarray(-TAIL_BYTES).toString().trimEnd();
  const line = text.slice(text.lastIndexOf("\n") + 1);
  try {
    return JSON.parse(line.startsWith("data:") ? line.slice("data:".length) : line);
  } catch {
    return null;
  }
}

const sseError =
  (holds: (event: Record<string, unknown>) => boolean) =>
  (bytes: Buffer): boolean => {
    const event = lastJson(bytes);
    return isObject(event) && holds(event);
  };

function isNdjsonError(bytes: Buffer): boolean {
  const line = lastJson(bytes);
  return isObject(line) && typeof line["error"] === "string" && line["done"] === undefined;
}

/** The last frame of a binary stream is an exception. Frames are stepped over by their lengths. */
function isException(bytes: Buffer): boolean {
  let last = 0;
  for (let at = 0; at + 16 <= bytes.length; at += bytes.readUInt32BE(at)) last = at;
  return plainFrames(bytes.subarray(last)).at(-1)?.isException === true;
}

const OLLAMA: Ending = { success: ['"done":true'], isError: isNdjsonError };

const ENDINGS: Readonly<Record<ClientId, Ending>> = {
  "openai-chat": { success: ["\ndata: [DONE]"], isError: sseError((event) => isObject(event["error"]) && event["choices"] === undefined) },
  "openai-responses": {
    success: ["\nevent: response.completed", "\nevent: response.incomplete"],
    isError: sseError((event) => event["type"] === "error" && typeof event["message"] === "string"),
  },
  "anthropic-messages": {
    success: ["\nevent: message_stop"],
    isError: sseError((event) => event["type"] === "error" && isObject(event["error"])),
  },
  gemini: { success: ['"finishReason":"'], isError: sseError((event) => isObject(event["error"]) && event["candidates"] === undefined) },
  "bedrock-converse": { success: [":event-type\u0007\u0000\u0008metadata"], isError: isException },
  "ollama-chat": OLLAMA,
  "ollama-generate": OLLAMA,
};

export function isClient(id: string): id is ClientId {
  return id in SDKS;
}

export function endsInError(client: ClientId, bytes: Buffer): boolean {
  return ENDINGS[client].isError(bytes);
}

/** Whether a translated answer tells its client, anywhere, that it is whole. */
export function holdsSuccess(client: ClientId, bytes: Buffer): boolean {
  return ENDINGS[client].success.some((mark) => bytes.includes(mark));
}
