/**
 * Ollama's `/api/generate`, from both ends: `/api/chat` with one prompt in place of messages and the answer in the line itself. Callers of it
 * are served by any provider; it is spoken to a provider only for them.
 */
import { ollamaAnswers } from "../ollama-chat/index.ts";
import type { Protocol } from "../protocol.ts";
import { parseRequest } from "./parse-request.ts";
import { renderRequest } from "./render-request.ts";

export const ollamaGenerate: Protocol = {
  ...ollamaAnswers({ protocol: "ollama-generate", holder: [], textMember: "response" }),
  parseRequest,
  renderRequest,
  needsMediaBytes: ({ type }) => type === "image",
};
