/** What `/api/chat` and `/api/generate` share of a request: model, streaming, options, format, thinking, and everything left unread. */
import { isObject } from "../../../schema/json.ts";
import type { ProtocolId } from "../../../schema/protocol.ts";
import type { OllamaSharedRequest } from "../../../schema/wire/ollama.ts";
import type { Block, CanonicalRequest, ReasoningControl, ResponseFormat } from "../canonical.ts";
import { sliceAt } from "../json-text.ts";
import { restOf, WrongField } from "../request-body.ts";

const SHARED_FIELDS = ["model", "stream", "format", "options", "think"];
const READ_OPTIONS: ReadonlySet<string> = new Set(["num_predict", "temperature", "top_p", "top_k", "stop"]);

/** The request but for its turns and tools. `ownFields` are the endpoint's own fields that the caller of this reads. */
export function readShared(
  protocol: ProtocolId,
  body: OllamaSharedRequest,
  bodyText: string,
  ownFields: readonly string[],
): Omit<CanonicalRequest, "turns" | "tools"> {
  const options = body.options ?? {};
  const cap = options.num_predict ?? null;
  return {
    protocol,
    model: body.model,
    stream: body.stream !== false,
    wantsStreamUsage: true,
    toolChoice: null,
    parallelToolCalls: null,
    maxOutputTokens: cap !== null && cap > 0 ? cap : null,
    temperature: options.temperature ?? null,
    topP: options.top_p ?? null,
    topK: options.top_k ?? null,
    stop: typeof options.stop === "string" ? [options.stop] : (options.stop ?? []),
    choices: 1,
    reasoning: readThink(body.think ?? null),
    responseFormat: readFormat(body.format ?? null, bodyText),
    user: null,
    rest: readRest(body, options, new Set([...SHARED_FIELDS, ...ownFields])),
  };
}

/** Unread top-level fields by their names, unread options by `options.<name>`. */
function readRest(body: object, options: object, read: ReadonlySet<string>): Record<string, unknown> {
  const unread = Object.entries(restOf(options, READ_OPTIONS)).map(([name, value]) => [`options.${name}`, value]);
  return { ...restOf(body, read), ...Object.fromEntries(unread) };
}

function readThink(think: boolean | string | null): ReasoningControl | null {
  if (think === null || think === "") return null;
  if (typeof think === "string") return { effort: think, budgetTokens: null, mode: null };
  return { effort: null, budgetTokens: null, mode: think ? "enabled" : "disabled" };
}

/** Older clients send an empty string for "no format". */
function readFormat(format: string | object | null, bodyText: string): ResponseFormat | null {
  if (format === null || format === "") return null;
  if (format === "json") return { kind: "json-object" };
  if (!isObject(format)) throw new WrongField("format", 'must be "json" or a JSON schema');
  return { kind: "json-schema", name: null, schemaText: sliceAt(bodyText, ["format"]) ?? JSON.stringify(format), strict: null };
}

/** How the base64 text of a file of this type begins: the format's first bytes, three to four letters. */
const MEDIA_TYPES: readonly (readonly [RegExp, string])[] = [
  [/^iVBORw0KGgo/, "image/png"],
  [/^\/9j\//, "image/jpeg"],
  [/^R0lGOD/, "image/gif"],
  [/^UklGR.{7}RUJQ/, "image/webp"],
  [/^Qk/, "image/bmp"],
  [/^(SUkq|TU0A)/, "image/tiff"],
];

/** Pictures of a message. The wire does not say what they are, so their first bytes do. */
export function readImages(images: readonly string[] | null | undefined, path: string): Block[] {
  return (images ?? []).map((data, index) => {
    // `:` is no letter of base64: a data: or https: address.
    if (data.slice(0, 16).includes(":"))
      throw new WrongField(`${path}.${index}`, "must be base64 data, not an address and without a data: prefix");
    const mediaType = MEDIA_TYPES.find(([pattern]) => pattern.test(data))?.[1] ?? "application/octet-stream";
    return { type: "image", source: { kind: "base64", mediaType, data }, detail: null, cache: null };
  });
}
