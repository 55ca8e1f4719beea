/** Headers with which a caller says how a completion is to be served, as `GET /openapi.json` describes them. */

/** Paths that take them. */
const PATHS: ReadonlySet<string> = new Set([
  "/v1/chat/completions",
  "/v1/responses",
  "/v1/messages",
  "/v1/embeddings",
  "/model/{model}/converse",
  "/model/{model}/converse-stream",
  "/api/chat",
  "/api/generate",
  "/v1beta/models/{model}:generateContent",
  "/v1beta/models/{model}:streamGenerateContent",
]);

const HEADERS: readonly (readonly [name: string, description: string])[] = [
  ["idempotency-key", "The same key and body give the same answer, charged once"],
  ["x-plyrum-provider-hint", "The provider to use"],
  ["x-model-affinity", "With `model: auto`, a name for the conversation: it stays with the model that answers it first"],
  ["x-plyrum-compat", "`lossy`: content that the provider's format cannot carry is left out and named in x-plyrum-dropped"],
  [
    "x-plyrum-fetch-media",
    "`1`: pictures and PDFs at https addresses are fetched for a provider that takes only bytes, where the configuration's fetch_media is on_request; `0`: they are not, where it is always",
  ],
  ["x-plyrum-on-disconnect", "`finish`: the answer is completed and charged although the caller has left; `cancel` otherwise"],
  ["traceparent", "W3C Trace Context: exported spans of the request are children of this one; not sampled, none are exported"],
  [
    "x-plyrum-resumable",
    "`1`: the stream is recorded and goes on without its caller, who gets the rest of it at GET /v1/requests/{id}/stream; server-sent events only",
  ],
  [
    "x-plyrum-record",
    "`1`: what providers answer is recorded, where the configuration's record.upstream is on_request; `0`: it is not, where it is true",
  ],
  ["x-plyrum-raw", "`1`: no cost_micro_rub in the answer"],
];

/** The header parameters of an operation; none where it is no completion. */
export function callHeaders(path: string): object[] {
  if (!PATHS.has(path)) return [];
  return HEADERS.map(([name, description]) => ({ name, in: "header", required: false, description, schema: { type: "string" } }));
}
