/**
 * Errors of Amazon's services (protocols.md §5.7): a body `{"message"}` whose kind stands in a header, and exceptions inside a binary
 * stream, which come with HTTP 200 and may be its first frame. Both wire formats of that family read and write them here.
 */
import { ownMember } from "../../schema/json.ts";
import type { GatewayError } from "../../schema/error.ts";
import { CORRUPT_EVENT, CUT_EVENT, renderEventFrame } from "./event-stream.ts";
import type { Frame } from "./protocol.ts";
import { OVERSIZE_EVENT } from "./sse.ts";
import { malformedError, parseUpstreamError, truncatedError } from "./upstream-error.ts";

/** The header that names an error's kind. */
const KIND_HEADER = "x-amzn-errortype";

/**
 * What a kind means, as an HTTP status of ours. Only kinds whose own status would mislead, and those that come without one: a model's
 * failure is sent as 424, a timeout of it as 408, and an exhausted quota of the gateway's account as 400.
 */
const STATUS_OF_KIND: Readonly<Record<string, number>> = {
  validationexception: 400,
  accessdeniedexception: 403,
  unrecognizedclientexception: 403,
  expiredtokenexception: 403,
  invalidsignatureexception: 403,
  resourcenotfoundexception: 404,
  throttlingexception: 429,
  toomanyrequestsexception: 429,
  servicequotaexceededexception: 429,
  modelnotreadyexception: 503,
  serviceunavailableexception: 503,
  modeltimeoutexception: 504,
  modelerrorexception: 502,
  modelstreamerrorexception: 502,
  internalserverexception: 502,
};

/** `ThrottlingException:http://…` and `com.amazon#ThrottlingException` → `throttlingexception`. */
function kindOf(name: string): string {
  return (name.split(":")[0] ?? "").split("#").at(-1)?.trim().toLowerCase() ?? "";
}

/** A non-2xx answer → an error of our table; the kind in its header decides where the status alone would mislead. */
export function parseAwsError(status: number, headers: Headers, bodyText: string): GatewayError {
  const name = headers.get(KIND_HEADER);
  if (name === null) return parseUpstreamError(status, headers, bodyText);
  const error = parseUpstreamError(ownMember(STATUS_OF_KIND, kindOf(name)) ?? status, headers, bodyText);
  return { ...error, upstream_type: (name.split(":")[0] ?? "").slice(0, 100) };
}

/** An exception frame → an error of our table. A kind nobody knows is the provider's failure. */
function exceptionError(frame: Frame): GatewayError {
  const name = frame.event ?? "";
  const error = parseUpstreamError(ownMember(STATUS_OF_KIND, kindOf(name)) ?? 502, new Headers(), frame.data ?? "");
  return { ...error, upstream_type: name };
}

/** What is wrong with a frame that holds no event; null for one that holds some. */
export function faultOf(frame: Frame): GatewayError | null {
  if (frame.exception === true) return exceptionError(frame);
  if (frame.event === OVERSIZE_EVENT) return malformedError("an event of the stream is too large");
  if (frame.event === CORRUPT_EVENT) return malformedError("a frame of the stream is damaged");
  return frame.event === CUT_EVENT ? truncatedError() : null;
}

/** Kinds by status, as the clients of this family sort errors by. */
const KINDS: Readonly<Record<number, string>> = {
  400: "ValidationException",
  401: "AccessDeniedException",
  402: "ServiceQuotaExceededException",
  403: "AccessDeniedException",
  404: "ResourceNotFoundException",
  409: "ConflictException",
  429: "ThrottlingException",
  502: "ModelErrorException",
  503: "ServiceUnavailableException",
  504: "ModelTimeoutException",
};

/** Kinds that may stand in a stream; a client that knows no other throws them as their own classes. */
const STREAM_KINDS: Readonly<Record<number, string>> = {
  429: "throttlingException",
  500: "internalServerException",
  503: "serviceUnavailableException",
};

export function awsErrorHeaders(error: GatewayError): Record<string, string> {
  return { [KIND_HEADER]: KINDS[error.status] ?? (error.status >= 500 ? "InternalServerException" : "ValidationException") };
}

/** The body, with the contract's code, param and details beside the message. */
export function renderAwsError(error: GatewayError, requestId: string): string {
  const details = { available: error.available, suggestion: error.suggestion };
  return JSON.stringify({ message: error.message, code: error.code, param: error.param, details, request_id: requestId });
}

/** An exception frame; nothing follows it, so that no client takes the answer for whole. */
export function renderAwsStreamError(error: GatewayError, requestId: string): Uint8Array {
  const kind = STREAM_KINDS[error.status] ?? (error.status >= 500 ? "modelStreamErrorException" : "validationException");
  return renderEventFrame("exception", kind, renderAwsError(error, requestId));
}
