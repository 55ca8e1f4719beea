/**
 * The registry of providers. A provider is *where to talk*: one data file here, no code. *How* to talk is a protocol folder.
 *
 * To add one: copy the nearest file, change its facts, and add a line below. Everything else (base URL and key from the environment,
 * routing, billing, the conformance suite) finds it by this registry.
 */
import type { ProviderDefinition } from "../../schema/provider.ts";
import { anthropic } from "./anthropic.ts";
import { deepseek } from "./deepseek.ts";
import { groq } from "./groq.ts";
import { mistral } from "./mistral.ts";
import { openai } from "./openai.ts";
import { openrouter } from "./openrouter.ts";
import { xai } from "./xai.ts";

export const PROVIDERS: Readonly<Record<string, ProviderDefinition>> = Object.fromEntries(
  [openai, anthropic, groq, mistral, deepseek, xai, openrouter].map((provider) => [provider.id, provider]),
);
