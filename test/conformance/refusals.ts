/** The cases of a recorded refusal and one client protocol: what the provider said becomes the client's own kind of error. */
import type { GatewayError } from "../../schema/error.ts";
import { errorAnswer } from "../../workers/engine/answers.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import type { Recording } from "../protocol/recordings.ts";
import { demand, type Finding } from "./case.ts";
import { type ClientId, SDKS } from "./sdk/index.ts";

/** What is to become of a refusal, read out of it by eye. */
interface Expected {
  status: number;
  code: GatewayError["code"];
  /** Seconds to wait; null: nobody said. */
  retryAfter: number | null;
}

const SERVER_FAULT = { status: 502, code: "provider_error" } as const;

function expectedOf(recording: Recording): Expected {
  const { status } = recording;
  const text = recording.bytes.toString();
  // Some providers refuse the gateway's own key with 400.
  const refusesKey = status === 400 && /API key not valid|Incorrect API key/.test(text);
  const retryAfter = retryAfterIn(text);
  if (refusesKey || [401, 402, 403, 500].includes(status)) return { ...SERVER_FAULT, retryAfter: null };
  if (status === 429) return { status: 429, code: "rate_limited", retryAfter };
  if (status === 503 || status === 529) return { status: 503, code: "overloaded", retryAfter };
  return { status, code: "upstream_rejected", retryAfter: null };
}

/** `"retryDelay": "37s"`, or `try again in 9m38.016s` in the words. */
function retryAfterIn(text: string): number | null {
  const detail = /"retryDelay":\s*"([\d.]+)s"/.exec(text);
  if (detail !== null) return Number(detail[1]);
  const words = /try again in (?:(\d+)m)?([\d.]+)s/.exec(text);
  return words === null ? null : Number(words[1] ?? 0) * 60 + Number(words[2]);
}

/** The words that each wire's clients branch on, by our status. */
const CODES: Readonly<Record<ClientId, (error: GatewayError) => string | null>> = {
  "openai-chat": openaiCode,
  "openai-responses": openaiCode,
  "anthropic-messages": ({ status }) =>
    ({ 404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 503: "overloaded_error" })[status] ??
    (status >= 500 ? "api_error" : "invalid_request_error"),
  gemini: ({ status }) =>
    ({ 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED" })[status] ??
    (status >= 500 ? "INTERNAL" : "INVALID_ARGUMENT"),
  "bedrock-converse": ({ status }) =>
    ({
      404: "ResourceNotFoundException",
      429: "ThrottlingException",
      502: "ModelErrorException",
      503: "ServiceUnavailableException",
      504: "ModelTimeoutException",
    })[status] ?? "ValidationException",
  "ollama-chat": () => null,
  "ollama-generate": () => null,
};

/** An upstream's own code is what clients of this family branch on. */
function openaiCode(error: GatewayError): string {
  return error.code === "upstream_rejected" ? (error.upstream_code ?? error.code) : error.code;
}

/** What the client's SDK throws at an error of ours: the same status, message, code and time to come back. */
export async function checkRefusal(error: GatewayError, client: ClientId): Promise<Finding> {
  const answer = errorAnswer(PROTOCOLS[client], error, "req_1");
  demand(answer.status === error.status, `status ${answer.status} in place of ${error.status}`);
  const failure = await SDKS[client].readError(answer.status, Object.fromEntries(answer.headers), await answer.text());
  if (failure === null) throw new Error("the SDK took the error for an answer");
  demand(failure.status === error.status, `the SDK shows status ${failure.status} in place of ${error.status}`);
  // Two of the packages show the body itself, where quotes are escaped.
  const shown = [error.message, JSON.stringify(error.message).slice(1, -1)].some((words) => failure.message.includes(words));
  demand(shown, `the SDK shows "${failure.message.slice(0, 80)}" in place of the message`);
  const code = CODES[client](error);
  demand(failure.code === code, `the SDK shows the code ${failure.code} in place of ${code}`);
  const wait = error.retry_after_seconds;
  demand(
    answer.headers.get("retry-after") === (wait === null ? null : String(Math.ceil(wait))),
    `retry-after is ${answer.headers.get("retry-after")} in place of ${wait}`,
  );
  if (failure.retryAfter !== null)
    demand(Math.ceil(Number(failure.retryAfter)) === Math.ceil(wait ?? -1), `the SDK shows a wait of ${failure.retryAfter}`);
  return {};
}

async function checkRecorded(recording: Recording, client: ClientId, headers: Record<string, string>, expected: Expected): Promise<void> {
  const text = recording.bytes.toString();
  const error = PROTOCOLS[recording.protocol].parseError(recording.status, new Headers(headers), text);
  demand(error.status === expected.status, `status ${recording.status} became ${error.status} in place of ${expected.status}`);
  demand(error.code === expected.code, `status ${recording.status} became ${error.code} in place of ${expected.code}`);
  demand(error.retry_after_seconds === expected.retryAfter, `wait ${error.retry_after_seconds} in place of ${expected.retryAfter}`);
  const isTold = text.replaceAll("\\", "").includes(error.message.slice(0, 30));
  demand(isTold === expected.status < 500, isTold ? "the provider's own words leak" : `the message became "${error.message.slice(0, 80)}"`);
  await checkRefusal(error, client);
}

/** A recorded refusal as it came, and, where waiting helps, once more with the header that says how long. */
export async function checkRecordedRefusal(recording: Recording, client: ClientId): Promise<Finding> {
  const expected = expectedOf(recording);
  await checkRecorded(recording, client, {}, expected);
  if (expected.status !== 429 && expected.status !== 503) return { places: 1 };
  await checkRecorded(recording, client, { "retry-after": "17" }, { ...expected, retryAfter: 17 });
  await checkRecorded(recording, client, { "retry-after-ms": "2500" }, { ...expected, retryAfter: 2.5 });
  return { places: 3 };
}
