/**
 * The registry of providers. A provider is *where to talk*: one data file here, no code. *How* to talk is a protocol folder.
 *
 * To add one: `npm run new-provider -- NAME --base-url URL` writes its file and its line below. Everything else (base URL and key from
 * the environment, routing, billing, the tests of all providers) finds it by this registry.
 */
import type { ProviderDefinition } from "../../schema/provider.ts";
import { alibaba } from "./alibaba.ts";
import { anthropic } from "./anthropic.ts";
import { azureOpenai } from "./azure-openai.ts";
import { baseten } from "./baseten.ts";
import { bedrock } from "./bedrock.ts";
import { cerebras } from "./cerebras.ts";
import { cohere } from "./cohere.ts";
import { copilot } from "./copilot.ts";
import { deepinfra } from "./deepinfra.ts";
import { deepseek } from "./deepseek.ts";
import { fireworks } from "./fireworks.ts";
import { gemini } from "./gemini.ts";
import { githubModels } from "./github-models.ts";
import { groq } from "./groq.ts";
import { huggingface } from "./huggingface.ts";
import { hyperbolic } from "./hyperbolic.ts";
import { llamacpp } from "./llamacpp.ts";
import { lmstudio } from "./lmstudio.ts";
import { mistral } from "./mistral.ts";
import { moonshot } from "./moonshot.ts";
import { nebius } from "./nebius.ts";
import { novita } from "./novita.ts";
import { nvidia } from "./nvidia.ts";
import { ollama } from "./ollama.ts";
import { openai } from "./openai.ts";
import { openrouter } from "./openrouter.ts";
import { perplexity } from "./perplexity.ts";
import { sambanova } from "./sambanova.ts";
import { siliconflow } from "./siliconflow.ts";
import { snowflake } from "./snowflake.ts";
import { together } from "./together.ts";
import { venice } from "./venice.ts";
import { vertex } from "./vertex.ts";
import { vllm } from "./vllm.ts";
import { xai } from "./xai.ts";
import { zai } from "./zai.ts";

export const PROVIDERS: Readonly<Record<string, ProviderDefinition>> = Object.fromEntries(
  [
    openai,
    anthropic,
    gemini,
    vertex,
    groq,
    mistral,
    cohere,
    deepseek,
    xai,
    openrouter,
    bedrock,
    azureOpenai,
    together,
    fireworks,
    cerebras,
    perplexity,
    moonshot,
    zai,
    alibaba,
    nvidia,
    huggingface,
    copilot,
    githubModels,
    sambanova,
    deepinfra,
    hyperbolic,
    baseten,
    novita,
    nebius,
    siliconflow,
    venice,
    snowflake,
    vllm,
    llamacpp,
    lmstudio,
    ollama,
  ].map((provider) => [provider.id, provider]),
);
