/** Gemini's generateContent as AI Studio and Vertex write it. Shapes after real recordings; every word is our own. */
import { asRecord, idOf, piecesOf, type Answer, type Ask, type Tool } from "./answer.ts";
import { type Addressed, plainMessage, type ReadAsk, type WireEvent, type WireFacts, type WireFormat } from "./wire.ts";

function addressed(url: URL): Addressed {
  const match = /\/models\/([^/]+):(\w+)$/.exec(url.pathname);
  return { model: decodeURIComponent(match?.[1] ?? ""), stream: match?.[2] === "streamGenerateContent" };
}

function refuse(message: string): ReadAsk {
  return { ok: false, status: 400, type: "INVALID_ARGUMENT", message };
}

/** The provider takes one element for a list of one. */
function listOf(value: unknown): Record<string, unknown>[] {
  return value === undefined || value === null ? [] : [value].flat().map(asRecord);
}

/** Every field in camelCase: the provider reads both spellings. */
function camelCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCased);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => {
      const name = key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
      return [name, ["args", "response", "parameters", "parametersJsonSchema"].includes(name) ? member : camelCased(member)];
    }),
  );
}

/** Neighbours of one role are one turn: clients send a streamed answer back chunk by chunk. */
function turnsOf(contents: Record<string, unknown>[]): Record<string, unknown>[] {
  const turns: { role: unknown; parts: Record<string, unknown>[] }[] = [];
  for (const content of contents) {
    const role = content["role"] ?? "user";
    const last = turns.at(-1);
    if (last?.role === role && role === "model") last.parts.push(...listOf(content["parts"]));
    else turns.push({ role, parts: listOf(content["parts"]) });
  }
  return turns;
}

function read(spelled: Record<string, unknown>, { model, stream }: Addressed): ReadAsk {
  const body = asRecord(camelCased(spelled));
  const contents = turnsOf(listOf(body["contents"]));
  if (contents.length === 0) return refuse("* GenerateContentRequest.contents: contents is not specified");
  const bad = contents.find((content) => content["role"] !== "user" && content["role"] !== "model");
  if (bad !== undefined) return refuse("Please use a valid role: user, model.");
  const fault = pairingFault(contents) ?? signatureFault(contents, model);
  if (fault !== null) return refuse(fault);
  const settings = asRecord(body["generationConfig"]);
  const { temperature } = settings;
  if (typeof temperature === "number" && (temperature < 0 || temperature > 2))
    return refuse("temperature must be in the range [0.0, 2.0].");
  const last = listOf(contents.at(-1)?.["parts"]);
  const results = last.filter((part) => part["functionResponse"] !== undefined);
  const cap = settings["maxOutputTokens"];
  const thinking = asRecord(settings["thinkingConfig"]);
  const ask: Ask = {
    model,
    stream,
    lastText: results.length > 0 ? results.map(resultText).join(" | ") : textOf(last),
    lastIsToolResult: results.length > 0,
    promptText:
      textOf(listOf(asRecord(body["systemInstruction"])["parts"])) +
      contents.map((content) => JSON.stringify(content["parts"]).replaceAll(/"(?:data|thoughtSignature)":"[^"]*"/g, "")).join("\n") +
      JSON.stringify(body["tools"] ?? ""),
    images: contents.flatMap((content) => listOf(content["parts"])).flatMap(imageOf),
    tools: toolsOf(body["tools"]),
    toolChoice: choiceOf(asRecord(asRecord(body["toolConfig"])["functionCallingConfig"])),
    parallel: true,
    maxTokens: typeof cap === "number" ? cap : null,
    stop: [settings["stopSequences"] ?? []].flat().map(String),
    thinking: thinking["includeThoughts"] === true && thinking["thinkingBudget"] !== 0,
    json: settings["responseMimeType"] === "application/json",
    cacheTtl: null,
  };
  return { ok: true, ask };
}

function textOf(parts: Record<string, unknown>[]): string {
  return parts.map((part) => (part["thought"] === true ? "" : String(part["text"] ?? ""))).join("");
}

function resultText(part: Record<string, unknown>): string {
  const response = asRecord(asRecord(part["functionResponse"])["response"]);
  const { result } = response;
  return typeof result === "string" ? result : JSON.stringify(response);
}

/** As many results as calls in the turn before, of the same names, and nothing beside them. */
function pairingFault(contents: Record<string, unknown>[]): string | null {
  for (const [index, content] of contents.entries()) {
    const parts = listOf(content["parts"]);
    const results = parts.filter((part) => part["functionResponse"] !== undefined).map((part) => asRecord(part["functionResponse"]));
    if (results.length === 0) continue;
    if (results.length < parts.length) return "Function response parts must not be mixed with other parts.";
    const calls = listOf(contents[index - 1]?.["parts"]).flatMap((part) => asRecord(part["functionCall"])["name"] ?? []);
    if (calls.length !== results.length || results.some((result, place) => result["name"] !== calls[place]))
      return "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.";
    if (results.some((result) => typeof result["response"] !== "object" || result["response"] === null))
      return "Invalid value at 'function_response.response' (type.googleapis.com/google.protobuf.Struct)";
  }
  return null;
}

/** Models of generation 3 refuse a turn whose first call has no signature. */
function signatureFault(contents: Record<string, unknown>[], model: string): string | null {
  if (!/gemini-3/.test(model)) return null;
  const first = contents.map((content) => listOf(content["parts"]).find((part) => part["functionCall"] !== undefined));
  const isMissing = first.some((part) => part !== undefined && typeof part["thoughtSignature"] !== "string");
  return isMissing ? "Function call is missing a thought_signature in functionCall parts." : null;
}

function imageOf(part: Record<string, unknown>): Ask["images"] {
  const inline = asRecord(part["inlineData"]);
  if (typeof inline["data"] === "string")
    return [{ mediaType: String(inline["mimeType"]), bytes: Buffer.from(inline["data"], "base64").length }];
  return part["fileData"] === undefined ? [] : [{ mediaType: "url", bytes: 0 }];
}

function toolsOf(tools: unknown): Tool[] {
  return listOf(tools)
    .flatMap((tool) => listOf(tool["functionDeclarations"]))
    .map((tool) => ({ name: String(tool["name"]), schema: asRecord(tool["parametersJsonSchema"] ?? tool["parameters"]) }));
}

function choiceOf(config: Record<string, unknown>): Ask["toolChoice"] {
  const [name] = [config["allowedFunctionNames"] ?? []].flat();
  if (config["mode"] === "ANY") return typeof name === "string" ? { name } : "required";
  return config["mode"] === "NONE" ? "none" : "auto";
}

const FINISH = { stop: "STOP", stop_sequence: "STOP", length: "MAX_TOKENS", tools: "STOP", refusal: "SAFETY" } as const;

function usageOf(answer: Answer, facts: WireFacts): object {
  const { usage } = answer;
  if (facts.commands.flags.has("nousage")) return {};
  if (facts.commands.flags.has("usage_zero"))
    return { usageMetadata: { promptTokenCount: 0, candidatesTokenCount: 0, totalTokenCount: 0 } };
  if (facts.commands.flags.has("usage_absurd"))
    return { usageMetadata: { promptTokenCount: 10, candidatesTokenCount: -5, cachedContentTokenCount: 999, totalTokenCount: 5 } };
  const prompt = usage.input + usage.cacheRead;
  const metadata = {
    promptTokenCount: prompt,
    candidatesTokenCount: usage.output - usage.reasoning,
    totalTokenCount: prompt + usage.output,
    ...(usage.cacheRead === 0 ? {} : { cachedContentTokenCount: usage.cacheRead }),
    promptTokensDetails: [{ modality: "TEXT", tokenCount: prompt }],
    ...(usage.reasoning === 0 ? {} : { thoughtsTokenCount: usage.reasoning }),
  };
  return { usageMetadata: metadata };
}

function signatureOf(text: string): string {
  return Buffer.from(idOf(text)).toString("base64");
}

/** Calls as parts; the first alone is signed, as the provider does it. */
function callParts(answer: Answer): object[] {
  return answer.tools.map((tool, index) => ({
    functionCall: { name: tool.name, args: JSON.parse(tool.arguments) as unknown },
    ...(index === 0 ? { thoughtSignature: signatureOf(tool.id) } : {}),
  }));
}

function frame(facts: WireFacts, candidate: object, usage: object): object {
  return { candidates: [{ ...candidate, index: 0 }], ...usage, modelVersion: facts.model, responseId: facts.id };
}

function unary(answer: Answer, facts: WireFacts): string {
  const signed = answer.reasoning === "" ? {} : { thoughtSignature: signatureOf(answer.reasoning) };
  const parts = [
    ...(answer.reasoning === "" ? [] : [{ text: answer.reasoning, thought: true }]),
    ...(answer.text === "" ? [] : [{ text: answer.text, ...signed }]),
    ...callParts(answer),
  ];
  const content = parts.length === 0 ? { role: "model" } : { parts, role: "model" };
  return JSON.stringify(frame(facts, { content, finishReason: FINISH[answer.finish] }, usageOf(answer, facts)), null, 2);
}

function events(answer: Answer, facts: WireFacts): WireEvent[] {
  const { commands } = facts;
  const list: WireEvent[] = [];
  const add = (part: object, outputTokens: number, finishReason?: string): void => {
    const isLast = finishReason !== undefined;
    const usage = isLast ? usageOf(answer, facts) : { usageMetadata: { trafficType: "ON_DEMAND" } };
    const body = frame(facts, { content: { parts: [part], role: "model" }, ...(isLast ? { finishReason } : {}) }, usage);
    list.push({
      text: `data: ${JSON.stringify(body)}\r\n\r\n`,
      outputTokens,
      reportsUsage: isLast && "usageMetadata" in usage,
    });
  };
  for (const text of piecesOf(answer.reasoning, null)) add({ text, thought: true }, Math.ceil(text.length / 4));
  for (const text of piecesOf(answer.text, commands.chunks)) add({ text }, Math.ceil(text.length / 4));
  for (const [index, part] of callParts(answer).entries())
    add(part, Math.ceil((answer.tools[index]?.name.length ?? 0) / 4) + Math.ceil((answer.tools[index]?.arguments.length ?? 0) / 4));
  const signed = answer.reasoning === "" || answer.tools.length > 0 ? {} : { thoughtSignature: signatureOf(answer.reasoning) };
  const finish = (): void => add({ text: "", ...signed }, 0, FINISH[answer.finish]);
  // The finish is the only end there is: without it the stream has broken off.
  if (!commands.flags.has("nodone")) finish();
  if (commands.flags.has("finish_twice")) finish();
  return list;
}

const WORDS: Record<number, string> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  429: "RESOURCE_EXHAUSTED",
  500: "INTERNAL",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

function error(status: number, message: string, type: string | null): string {
  const said = { code: status, message: message === "" ? plainMessage(status) : message, status: type ?? WORDS[status] ?? "UNKNOWN" };
  return JSON.stringify({ error: said }, null, 2);
}

export const gemini: WireFormat = {
  addressed,
  read,
  unary,
  events,
  error,
  // In the middle of a stream the provider says an error as bare JSON.
  streamError: `${error(503, "The model is overloaded.", null)}\n`,
};
