/** One valid request of each protocol that callers speak, with every field its schema describes: what hostile bodies are made from. */
import type { ProtocolId } from "../../schema/protocol.ts";
import type { RequestAddress } from "../../workers/protocol/protocol.ts";

export interface ValidRequest {
  protocol: ProtocolId;
  /** Where callers post it; `{model}` stands for the model, percent-encoded. */
  path: string;
  address: RequestAddress;
  body: Record<string, unknown>;
}

const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=";
const SCHEMA = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };

const chat: ValidRequest = {
  protocol: "openai-chat",
  path: "/v1/chat/completions",
  address: { model: null, stream: null },
  body: {
    model: "openai/gpt-5-mini",
    messages: [
      { role: "system", content: "Be brief.", name: "rules" },
      {
        role: "user",
        content: [
          { type: "text", text: "What is this?", cache_control: { type: "ephemeral", ttl: "5m" } },
          { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}`, detail: "low" } },
          { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,JVBERi0=" } },
          { type: "input_audio", input_audio: { data: "AAAA", format: "wav" } },
        ],
      },
      {
        role: "assistant",
        content: "Let me look.",
        refusal: null,
        reasoning_content: "hm",
        tool_calls: [{ id: "call_1", type: "function", function: { name: "weather", arguments: '{"city":"Omsk"}' } }],
      },
      { role: "tool", tool_call_id: "call_1", content: "cold" },
      { role: "assistant", content: null, function_call: { name: "weather", arguments: "{}" } },
      { role: "function", name: "weather", content: "colder" },
      { role: "user", content: "And now?" },
    ],
    stream: false,
    stream_options: { include_usage: true },
    tools: [{ type: "function", function: { name: "weather", description: "d", parameters: SCHEMA, strict: true } }],
    tool_choice: { type: "function", function: { name: "weather" } },
    parallel_tool_calls: false,
    max_completion_tokens: 100,
    temperature: 0.5,
    top_p: 0.9,
    top_k: 5,
    stop: ["END"],
    n: 1,
    reasoning_effort: "low",
    reasoning: { effort: "low", max_tokens: 50, enabled: true },
    thinking: { type: "enabled", budget_tokens: 50 },
    response_format: { type: "json_schema", json_schema: { name: "answer", schema: SCHEMA, strict: true } },
    user: "u",
    seed: 7,
    logit_bias: { "5": 1 },
    metadata: { a: "b" },
  },
};

const responses: ValidRequest = {
  protocol: "openai-responses",
  path: "/v1/responses",
  address: { model: null, stream: null },
  body: {
    model: "openai/gpt-5-mini",
    instructions: "Be brief.",
    input: [
      { type: "message", role: "developer", content: "rules" },
      {
        role: "user",
        content: [
          { type: "input_text", text: "What is this?" },
          { type: "input_image", image_url: `data:image/png;base64,${PNG}`, detail: "low" },
          { type: "input_file", filename: "a.pdf", file_data: "data:application/pdf;base64,JVBERi0=" },
        ],
      },
      { type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: "hm" }], content: [{ type: "reasoning_text", text: "hm" }] },
      { type: "message", role: "assistant", id: "msg_1", phase: "commentary", content: [{ type: "output_text", text: "Let me look." }] },
      { type: "function_call", id: "fc_1", call_id: "call_1", name: "weather", arguments: '{"city":"Omsk"}' },
      { type: "function_call_output", call_id: "call_1", output: [{ type: "input_text", text: "cold" }] },
      { type: "custom_tool_call", call_id: "call_2", name: "shell", input: "ls" },
      { type: "custom_tool_call_output", call_id: "call_2", output: "a" },
      { role: "user", content: "And now?" },
    ],
    stream: false,
    tools: [{ type: "function", name: "weather", description: "d", parameters: SCHEMA, strict: true }],
    tool_choice: { type: "function", name: "weather" },
    parallel_tool_calls: false,
    max_output_tokens: 100,
    temperature: 0.5,
    top_p: 0.9,
    reasoning: { effort: "low", summary: "auto" },
    text: { format: { type: "json_schema", name: "answer", schema: SCHEMA, strict: true, description: "d" }, verbosity: "low" },
    include: ["reasoning.encrypted_content"],
    user: "u",
    store: false,
    metadata: { a: "b" },
  },
};

const messages: ValidRequest = {
  protocol: "anthropic-messages",
  path: "/v1/messages",
  address: { model: null, stream: null },
  body: {
    model: "openai/gpt-5-mini",
    max_tokens: 100,
    system: [{ type: "text", text: "Be brief.", cache_control: { type: "ephemeral", ttl: "1h" } }],
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "What is this?" },
          { type: "image", source: { type: "base64", media_type: "image/png", data: PNG } },
          { type: "document", title: "a", source: { type: "base64", media_type: "application/pdf", data: "JVBERi0=" } },
          { type: "document", source: { type: "text", media_type: "text/plain", data: "x" }, citations: { enabled: true } },
        ],
      },
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "hm", signature: "c2ln" },
          { type: "redacted_thinking", data: "ZGF0YQ==" },
          { type: "text", text: "Let me look." },
          { type: "tool_use", id: "toolu_1", name: "weather", input: { city: "Omsk" } },
        ],
      },
      {
        role: "user",
        content: [{ type: "tool_result", tool_use_id: "toolu_1", is_error: false, content: [{ type: "text", text: "cold" }] }],
      },
    ],
    stream: false,
    temperature: 0.5,
    top_p: 0.9,
    top_k: 5,
    stop_sequences: ["END"],
    tools: [{ name: "weather", description: "d", input_schema: SCHEMA, strict: true, cache_control: { type: "ephemeral" } }],
    tool_choice: { type: "tool", name: "weather", disable_parallel_tool_use: true },
    thinking: { type: "enabled", budget_tokens: 50 },
    output_config: { effort: "low", format: { type: "json_schema", schema: SCHEMA } },
    metadata: { user_id: "u" },
    service_tier: "auto",
  },
};

const gemini: ValidRequest = {
  protocol: "gemini",
  path: "/v1beta/models/{model}:generateContent",
  address: { model: "openai/gpt-5-mini", stream: false },
  body: {
    systemInstruction: { role: "system", parts: [{ text: "Be brief." }] },
    contents: [
      {
        role: "user",
        parts: [
          { text: "What is this?" },
          { inlineData: { mimeType: "image/png", data: PNG, displayName: "a" } },
          { fileData: { mimeType: "application/pdf", fileUri: "https://files.example.com/a.pdf" } },
        ],
      },
      {
        role: "model",
        parts: [
          { text: "hm", thought: true },
          { text: "Let me look.", thoughtSignature: "c2ln" },
          { functionCall: { id: "c1", name: "weather", args: { city: "Omsk" } }, thoughtSignature: "c2ln" },
        ],
      },
      {
        role: "user",
        parts: [
          {
            functionResponse: {
              id: "c1",
              name: "weather",
              response: { output: "cold" },
              parts: [{ inlineData: { mimeType: "image/png", data: PNG } }],
            },
          },
        ],
      },
    ],
    tools: [{ functionDeclarations: [{ name: "weather", description: "d", parameters: SCHEMA }] }],
    toolConfig: { functionCallingConfig: { mode: "ANY", allowedFunctionNames: ["weather"] } },
    generationConfig: {
      maxOutputTokens: 100,
      temperature: 0.5,
      topP: 0.9,
      topK: 5,
      candidateCount: 1,
      stopSequences: ["END"],
      responseMimeType: "application/json",
      responseSchema: SCHEMA,
      thinkingConfig: { includeThoughts: true, thinkingBudget: 50 },
      seed: 7,
    },
    safetySettings: [{ category: "HARM", threshold: "NONE" }],
  },
};

const converse: ValidRequest = {
  protocol: "bedrock-converse",
  path: "/model/{model}/converse",
  address: { model: "openai/gpt-5-mini", stream: false },
  body: {
    system: [{ text: "Be brief." }, { cachePoint: { type: "default", ttl: "5m" } }],
    messages: [
      {
        role: "user",
        content: [
          { text: "What is this?" },
          { image: { format: "png", source: { bytes: PNG } } },
          { document: { format: "pdf", name: "a", source: { bytes: "JVBERi0=" } } },
          { cachePoint: { type: "default" } },
        ],
      },
      {
        role: "assistant",
        content: [
          { reasoningContent: { reasoningText: { text: "hm", signature: "c2ln" } } },
          { text: "Let me look." },
          { toolUse: { toolUseId: "t1", name: "weather", input: { city: "Omsk" } } },
        ],
      },
      {
        role: "user",
        content: [{ toolResult: { toolUseId: "t1", status: "success", content: [{ json: { cold: true } }, { text: "cold" }] } }],
      },
    ],
    inferenceConfig: { maxTokens: 100, temperature: 0.5, topP: 0.9, stopSequences: ["END"] },
    toolConfig: {
      tools: [
        { toolSpec: { name: "weather", description: "d", inputSchema: { json: SCHEMA }, strict: true } },
        { cachePoint: { type: "default" } },
      ],
      toolChoice: { tool: { name: "weather" } },
    },
    additionalModelRequestFields: { top_k: 5, thinking: { type: "enabled", budget_tokens: 50 } },
    outputConfig: {
      effort: "low",
      textFormat: { type: "json_schema", structure: { jsonSchema: { name: "answer", schema: JSON.stringify(SCHEMA) } } },
    },
    requestMetadata: { a: "b" },
  },
};

const ollamaOptions = { num_predict: 100, temperature: 0.5, top_p: 0.9, top_k: 5, stop: ["END"], seed: 7 };

const ollamaChat: ValidRequest = {
  protocol: "ollama-chat",
  path: "/api/chat",
  address: { model: null, stream: null },
  body: {
    model: "openai/gpt-5-mini",
    messages: [
      { role: "system", content: "Be brief." },
      { role: "user", content: "What is this?", images: [PNG] },
      {
        role: "assistant",
        content: "Let me look.",
        thinking: "hm",
        tool_calls: [{ id: "c1", function: { name: "weather", arguments: { city: "Omsk" } } }],
      },
      { role: "tool", content: "cold", tool_name: "weather", tool_call_id: "c1" },
    ],
    stream: false,
    format: SCHEMA,
    options: ollamaOptions,
    think: "low",
    keep_alive: "5m",
    tools: [{ type: "function", function: { name: "weather", description: "d", parameters: SCHEMA } }],
  },
};

const ollamaGenerate: ValidRequest = {
  protocol: "ollama-generate",
  path: "/api/generate",
  address: { model: null, stream: null },
  body: {
    model: "openai/gpt-5-mini",
    system: "Be brief.",
    prompt: "Hi",
    images: [PNG],
    stream: false,
    format: "json",
    options: ollamaOptions,
    think: false,
  },
};

const embeddings: ValidRequest = {
  protocol: "openai-embeddings",
  path: "/v1/embeddings",
  address: { model: null, stream: null },
  body: { model: "openai/text-embedding-3-small", input: ["a", "b"], dimensions: 8, encoding_format: "float", user: "u" },
};

export const VALID_REQUESTS: readonly ValidRequest[] = [
  chat,
  responses,
  messages,
  gemini,
  converse,
  ollamaChat,
  ollamaGenerate,
  embeddings,
];
