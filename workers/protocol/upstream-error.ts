/**
 * What an upstream's error means for the caller, whatever shape it came in (protocols.md §5.7): a non-2xx body, an error object
 * with status 200, an error frame in a stream. Shared by all protocols, since providers mix their shapes freely.
 *
 * Three rules. An upstream's 4xx keeps its status and message. A refusal of the gateway's own credential (401, 403, 402, or a
 * 400 that says so) must never look as if the caller's key were bad. And nothing internal leaks: bodies that are no known error
 * shape are not quoted, server failures are described in our words, and what looks like a key is cut out.
 */
import { gatewayError, type GatewayError } from "../../schema/error.ts";
import { isObject, type JsonObject, parseJson } from "../../schema/json.ts";
import { LIMITS } from "../../schema/limits.ts";

/** An upstream's error in its own words; null where it said nothing. */
interface ErrorFacts {
  message: string | null;
  type: string | null;
  code: string | null;
  param: string | null;
  /** HTTP status stated inside the body. */
  status: number | null;
  retryAfterSeconds: number | null;
}

const NO_FACTS: ErrorFacts = { message: null, type: null, code: null, param: null, status: null, retryAfterSeconds: null };

function textOf(value: unknown): string | null {
  if (typeof value === "string" && value !== "") return value;
  return typeof value === "number" ? String(value) : null;
}

function statusOf(...values: unknown[]): number | null {
  for (const value of values) {
    const status = typeof value === "string" && /^\d{3}$/.test(value) ? Number(value) : value;
    if (typeof status === "number" && Number.isInteger(status) && status >= 400 && status <= 599) return status;
  }
  return null;
}

/** The message of `{detail: "…"}` or of a list of validation errors. */
function detailText(detail: unknown): string | null {
  if (!Array.isArray(detail)) return textOf(detail);
  const texts = detail.map((item) => (isObject(item) ? textOf(item["msg"]) : textOf(item))).filter((text) => text !== null);
  return texts.length === 0 ? null : texts.join("; ");
}

/** `google.rpc.RetryInfo` among an error's details. */
function retryDelayOf(details: unknown): number | null {
  if (!Array.isArray(details)) return null;
  for (const item of details) {
    if (isObject(item) && typeof item["retryDelay"] === "string") return secondsOf(item["retryDelay"]);
  }
  return null;
}

function factsOf(body: unknown): ErrorFacts {
  if (Array.isArray(body)) return factsOf(body[0]);
  if (typeof body === "string" && body !== "") return { ...NO_FACTS, message: body };
  if (!isObject(body)) return NO_FACTS;
  const inner: JsonObject = isObject(body["error"]) ? body["error"] : body;
  const message = textOf(inner["message"]) ?? textOf(body["error"]) ?? textOf(body["message"]) ?? detailText(body["detail"]);
  return {
    message,
    type: textOf(inner["type"]) ?? textOf(inner["error_type"]) ?? (typeof inner["status"] === "string" ? inner["status"] : null),
    code: textOf(inner["code"]) ?? textOf(body["code"]),
    param: typeof inner["param"] === "string" && inner["param"] !== "" ? inner["param"] : null,
    status: statusOf(inner["status_code"], inner["status"], inner["code"], body["raw_status_code"], body["status"]),
    retryAfterSeconds: retryDelayOf(inner["details"]),
  };
}

/** Durations as providers write them: `2.5s`, `17ms`, `9m38.016s`, `1h2m`, a bare number of seconds. */
function secondsOf(text: string): number | null {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  const match = /^(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?$/.exec(text);
  if (match === null || text === "") return null;
  const [, hours, minutes, seconds, milliseconds] = match;
  return Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0) + Number(milliseconds ?? 0) / 1000;
}

/** When to come back, from the headers, else from the body's details, else from the message's words. Null when nobody said. */
function retryAfterSeconds(headers: Headers | null, facts: ErrorFacts): number | null {
  const milliseconds = headers?.get("retry-after-ms") ?? null;
  if (milliseconds !== null && /^\d+(\.\d+)?$/.test(milliseconds)) return Number(milliseconds) / 1000;
  const after = headers?.get("retry-after") ?? null;
  if (after !== null) {
    const seconds = secondsOf(after);
    if (seconds !== null) return seconds;
    // A date counts from the answer's own date, so that no clock of ours is needed.
    const wait = (Date.parse(after) - Date.parse(headers?.get("date") ?? "")) / 1000;
    if (wait >= 0) return wait;
  }
  if (facts.retryAfterSeconds !== null) return facts.retryAfterSeconds;
  for (const kind of ["requests", "tokens"]) {
    if (headers?.get(`x-ratelimit-remaining-${kind}`) !== "0") continue;
    const seconds = secondsOf(headers.get(`x-ratelimit-reset-${kind}`) ?? "");
    if (seconds !== null) return seconds;
  }
  const words = /(?:try again|retry) (?:in|after) (\d+(?:\.\d+)?(?:ms|s|m|h)?(?:[\d.]+(?:ms|s|m))*)/i.exec(facts.message ?? "");
  return words?.[1] === undefined ? null : secondsOf(words[1]);
}

/** Cuts what looks like a credential or an account's name out of an upstream's words, and bounds their length. */
function cleanMessage(message: string): string {
  const cleaned = message
    .replace(/\b(?:sk|pk|rk|gsk|xai|org|proj|key|AIza|ply)[-_][\w*.-]{4,}/g, "[redacted]")
    .replace(/\bAIza[\w-]{10,}/g, "[redacted]")
    .replace(/\b(?:AKIA|ASIA)[A-Z0-9]{8,}/g, "[redacted]")
    .replace(/\b(arn:aws[\w-]*:[\w-]*:[\w-]*:)\d{12}\b/g, "$1[redacted]")
    .replace(/\bBearer\s+\S+/gi, "[redacted]");
  return cleaned.length <= LIMITS.upstreamErrorCharacters ? cleaned : `${cleaned.slice(0, LIMITS.upstreamErrorCharacters)}…`;
}

const CREDENTIAL_WORDS =
  /(?:incorrect|invalid|missing|expired|bad|no|unknown) (?:x-)?(?:api|subscription|access)[ _-]?(?:key|token)|api[ _-]?key[^.]{0,20}(?:not valid|is invalid|not found|expired)/i;

function isCredentialRefusal(status: number, facts: ErrorFacts): boolean {
  if (status === 401 || status === 402 || status === 403) return true;
  if (status !== 400) return false;
  return facts.code === "invalid_api_key" || facts.type === "authentication_error" || CREDENTIAL_WORDS.test(facts.message ?? "");
}

function classify(status: number, facts: ErrorFacts, headers: Headers | null): GatewayError {
  const upstream = { upstream_type: facts.type, upstream_code: facts.code };
  const said = retryAfterSeconds(headers, facts);
  // A time nobody waits for, or that is no number, is none.
  const retry_after_seconds = said !== null && said <= LIMITS.retryAfterSecondsMax ? said : null;
  if (isCredentialRefusal(status, facts)) {
    return gatewayError("provider_error", "The provider did not accept the gateway's own credential or account for this model.", {
      ...upstream,
      suggestion: "Your key is fine. Use another provider or tell the gateway's operator.",
    });
  }
  if (status === 429) {
    return gatewayError("rate_limited", cleanMessage(facts.message ?? "The provider's rate limit is reached."), {
      ...upstream,
      retry_after_seconds,
    });
  }
  if (status === 503 || status === 529)
    return gatewayError("overloaded", "The provider is overloaded.", { ...upstream, retry_after_seconds });
  if (status === 504 || status === 408) return gatewayError("provider_timeout", "The provider took too long to answer.", upstream);
  if (status >= 400 && status < 500) {
    const message = facts.message ?? `The provider refused the request with status ${status}.`;
    return gatewayError("upstream_rejected", cleanMessage(message), { ...upstream, status, param: facts.param });
  }
  return gatewayError("provider_error", `The provider failed${status >= 500 ? ` with status ${status}` : ""}.`, {
    ...upstream,
    retry_after_seconds,
  });
}

/** A non-2xx answer → an error of our table. Never throws; HTML, nothing and unknown shapes give our own words. */
export function parseUpstreamError(status: number, headers: Headers, bodyText: string): GatewayError {
  const parsed = bodyText.length <= LIMITS.unaryResponseBytes ? parseJson(bodyText) : null;
  return classify(status, parsed?.ok === true ? factsOf(parsed.value) : NO_FACTS, headers);
}

/** Statuses of the error words used where no status is stated: in streams and in bodies sent with status 200. */
const STATUS_BY_WORD: readonly (readonly [RegExp, number])[] = [
  [/overloaded|unavailable/i, 529],
  [/rate_?limit|too_many_requests|quota|exhausted/i, 429],
  [/timeout|deadline/i, 504],
  [/authentication|permission|invalid_api_key|unauthorized|billing/i, 401],
  [/not_found/i, 404],
  [/too_large/i, 413],
  [/invalid_request|content_filter|tool_use_failed|bad_request/i, 400],
];

/** An error object that came with status 200, alone or inside a stream → an error of our table. `body` is the parsed frame or body. */
export function upstreamErrorOf(body: unknown): GatewayError {
  const facts = factsOf(body);
  const words = `${facts.type ?? ""} ${facts.code ?? ""}`;
  const status = facts.status ?? STATUS_BY_WORD.find(([pattern]) => pattern.test(words))?.[1] ?? 502;
  return classify(status, facts, null);
}

/** The stream or body ended, or went bad, before the answer was whole. `upstream_code` is `truncated`, so that callers can tell. */
export function truncatedError(): GatewayError {
  return gatewayError("provider_error", "The provider's answer ended before it was complete.", { upstream_code: "truncated" });
}

/** Kind of an `opaque` event that stands for a frame nobody could read: harmless where bytes pass, an error where they are translated. */
export const MALFORMED_FRAME = "malformed";

/** The upstream sent something that is not its own protocol. `what` is in our words. */
export function malformedError(what: string): GatewayError {
  return gatewayError("provider_error", `The provider sent an answer that could not be read: ${what}.`, { upstream_code: "malformed" });
}
