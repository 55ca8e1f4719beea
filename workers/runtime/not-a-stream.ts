/** A provider that answers a call for a stream with something else: an error document, or a whole answer. */
import { gatewayError, type GatewayError } from "../../schema/error.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { StreamFraming } from "../../schema/protocol.ts";
import type { Protocol } from "../protocol/protocol.ts";
import { readBounded } from "./read-bounded.ts";

/** What the content type of a stream says, by framing. A stream of one line (a model was loaded, nothing was said) may come as plain JSON. */
const STREAM_TYPES: Readonly<Record<StreamFraming, string>> = {
  sse: "text/event-stream",
  ndjson: "json",
  eventstream: "amazon.eventstream",
};

export function isStream(response: Response, upstream: Protocol): boolean {
  return (response.headers.get("content-type") ?? "").toLowerCase().includes(STREAM_TYPES[upstream.framing]);
}

/** What a 2xx that is no stream says, as an error of ours. */
export async function faultOfDocument(response: Response, upstream: Protocol): Promise<GatewayError> {
  const body = await readBounded(response, LIMITS.errorBodyBytes).catch(() => null);
  if (body === null) return gatewayError("provider_error", "The provider did not answer with a stream.");
  const error = upstream.parseError(502, response.headers, body);
  return { ...error, status: error.status >= 500 ? error.status : 502 };
}
