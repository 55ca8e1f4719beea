/** A caller's `/api/generate` body → the canonical request: a system text and one turn of the user. */
import type { Outcome } from "../../../schema/error.ts";
import { type OllamaGenerateRequest, ollamaGenerateRequestSchema } from "../../../schema/wire/ollama.ts";
import type { Block, CanonicalRequest, Turn } from "../canonical.ts";
import { readImages, readShared } from "../ollama-chat/read-shared.ts";
import { readRequestBody } from "../request-body.ts";

/** Reads and checks a body. Errors: `invalid_json`, `invalid_request` with `param` the dotted path of the first wrong field. */
export function parseRequest(bodyText: string): Outcome<CanonicalRequest> {
  return readRequestBody(bodyText, ollamaGenerateRequestSchema, (body) => readRequest(body, bodyText));
}

function textBlocks(text: string | null | undefined): Block[] {
  return text === null || text === undefined || text === "" ? [] : [{ type: "text", text, cache: null }];
}

function readRequest(body: OllamaGenerateRequest, bodyText: string): CanonicalRequest {
  const shared = readShared("ollama-generate", body, bodyText, ["prompt", "system", "images"]);
  const system = textBlocks(body.system);
  const said = [...readImages(body.images, "images"), ...textBlocks(body.prompt)];
  // Without a prompt the call loads the model (or, by `keep_alive`, unloads it), which no other wire can ask for.
  if (said.length === 0) shared.rest["prompt"] = "";
  const turns: Turn[] = [];
  if (system.length > 0) turns.push({ role: "system", name: null, blocks: system });
  if (said.length > 0) turns.push({ role: "user", name: null, blocks: said });
  return { ...shared, turns, tools: [] };
}
