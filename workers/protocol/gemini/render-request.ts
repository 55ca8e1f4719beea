/** The canonical request → a `generateContent` body, with what it could not carry as it was. Model and streaming are in the address. */
import type { CanonicalRequest, Loss, ToolChoice } from "../canonical.ts";
import { RawJson, stringifyWithRaw } from "../json-text.ts";
import { distinctLosses, lossFor, restLosses } from "../losses.ts";
import type { RenderedRequest, RenderTarget } from "../protocol.ts";
import { createSpelling } from "../spelling.ts";
import { renderTurns } from "./render-turns.ts";
import { thinkingOf } from "./thinking.ts";

const TARGET = "gemini";
const STOP_SEQUENCES_MAX = 5;
const TEMPERATURE_MAX = 2;
const TOOL_NAME_CHARACTERS_MAX = 64;
/** A name begins with a letter or an underscore (reference of `FunctionDeclaration`). */
const TOOL_NAME = /^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$/;

/** Fields of OpenAI Chat's callers that are settings here. */
const SETTINGS: Readonly<Record<string, string>> = {
  seed: "seed",
  presence_penalty: "presencePenalty",
  frequency_penalty: "frequencyPenalty",
};

export function renderRequest(request: CanonicalRequest, target: RenderTarget): RenderedRequest {
  const losses: Loss[] = [];
  const toolName = createToolName();
  const tools = renderTools(request, toolName, losses);
  const { system, contents } = renderTurns(request, { model: target.model, toolName }, losses);
  const settings = renderSettings(request, target, losses);
  const body: Record<string, unknown> = {
    contents,
    ...(system.length === 0 ? {} : { systemInstruction: { parts: system } }),
    ...tools,
    ...(Object.keys(settings).length === 0 ? {} : { generationConfig: settings }),
  };
  if (request.user !== null) losses.push(lossFor("user", TARGET));
  const isNative = request.protocol === TARGET;
  if (isNative) for (const [field, value] of Object.entries(request.rest)) if (!field.includes(".")) body[field] = value;
  losses.push(...restLosses(request, TARGET, isNative ? Object.keys(request.rest).filter(isCarried) : Object.keys(SETTINGS)));
  for (const field of target.quirks.refusedFields ?? []) {
    if (!(field in body)) continue;
    delete body[field];
    losses.push(lossFor(field, TARGET));
  }
  return { body: stringifyWithRaw(body), losses: distinctLosses(losses) };
}

/** Everything of a native caller goes out again but what belonged to single parts. */
function isCarried(field: string): boolean {
  return !field.startsWith("contents.");
}

function createToolName(): (name: string) => string {
  const spell = createSpelling(TOOL_NAME_CHARACTERS_MAX - 1);
  return (name) => {
    if (TOOL_NAME.test(name)) return name;
    const spelled = spell(name);
    return TOOL_NAME.test(spelled) ? spelled : `_${spelled}`;
  };
}

function renderTools(request: CanonicalRequest, toolName: (name: string) => string, losses: Loss[]): object {
  const declarations = request.tools.map((tool) => {
    const name = toolName(tool.name);
    if (name !== tool.name) losses.push(lossFor("tools.name", TARGET, { note: `→${name}` }));
    if (tool.cache !== null) losses.push(lossFor("cache_control", TARGET));
    if (tool.strict === true) losses.push(lossFor("tools.strict", TARGET));
    return {
      name,
      ...(tool.description === null ? {} : { description: tool.description }),
      parametersJsonSchema: new RawJson(tool.schemaText),
    };
  });
  const native = request.protocol === TARGET ? Object.entries(request.rest).filter(([field]) => field.startsWith("tools.")) : [];
  const tools = [...(declarations.length === 0 ? [] : [{ functionDeclarations: declarations }]), ...native.map(([, tool]) => tool)];
  if (tools.length === 0) return {};
  if (request.parallelToolCalls === false) losses.push(lossFor("parallel_tool_calls", TARGET));
  const choice = request.toolChoice === null ? {} : { toolConfig: { functionCallingConfig: renderChoice(request.toolChoice, toolName) } };
  return { tools, ...choice };
}

function renderChoice(choice: ToolChoice, toolName: (name: string) => string): object {
  switch (choice.mode) {
    case "auto":
      return { mode: "AUTO" };
    case "none":
      return { mode: "NONE" };
    case "required":
      return { mode: "ANY" };
    case "tool":
      return { mode: "ANY", allowedFunctionNames: [toolName(choice.name)] };
  }
}

function renderSettings(request: CanonicalRequest, target: RenderTarget, losses: Loss[]): Record<string, unknown> {
  const { temperature, topP, topK, choices, stop, rest } = request;
  const settings: Record<string, unknown> = {};
  const cap = request.maxOutputTokens ?? (target.maxOutputTokens > 0 ? target.maxOutputTokens : null);
  if (cap !== null) settings["maxOutputTokens"] = cap;
  if (request.maxOutputTokens === null && cap !== null) losses.push(lossFor("max_tokens", TARGET, { note: `→${cap}` }));
  if (temperature !== null) {
    const clamped = Math.min(TEMPERATURE_MAX, Math.max(0, temperature));
    settings["temperature"] = clamped;
    if (clamped !== temperature) losses.push(lossFor("temperature", TARGET, { note: `${temperature}→${clamped}` }));
  }
  if (topP !== null) settings["topP"] = topP;
  if (topK !== null) settings["topK"] = topK;
  if (choices > 1) settings["candidateCount"] = choices;
  if (stop.length > 0) settings["stopSequences"] = stop.slice(0, STOP_SEQUENCES_MAX);
  if (stop.length > STOP_SEQUENCES_MAX) losses.push(lossFor("stop", TARGET, { note: `${stop.length}→${STOP_SEQUENCES_MAX}` }));
  const format = request.responseFormat;
  if (format?.kind === "json-object" || format?.kind === "json-schema") settings["responseMimeType"] = "application/json";
  if (format?.kind === "json-schema") settings["responseJsonSchema"] = new RawJson(format.schemaText);
  const thinking = thinkingOf(request, target.model, losses);
  if (thinking !== null) settings["thinkingConfig"] = thinking;
  if (request.protocol === TARGET) {
    for (const [field, value] of Object.entries(rest)) {
      const name = /^generationConfig\.([^.]+)$/.exec(field)?.[1];
      if (name !== undefined) settings[name] = value;
    }
  } else {
    for (const [field, name] of Object.entries(SETTINGS)) if (typeof rest[field] === "number") settings[name] = rest[field];
  }
  return settings;
}
