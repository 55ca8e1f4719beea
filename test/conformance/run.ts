/** Runs the cases of one recording against client protocols, of one request against provider protocols, and of one provider against all of them. */
import { operationOf } from "../../schema/protocol.ts";
import type { ProtocolId } from "../../schema/protocol.ts";
import type { ProviderDefinition } from "../../schema/provider.ts";
import type { Quirks } from "../../workers/protocol/protocol.ts";
import { type Recording, recordings } from "../protocol/recordings.ts";
import { type CaseResult, type Check, type Effort, Fault, type Finding } from "./case.ts";
import { checkRecordedRefusal } from "./refusals.ts";
import { checkRequest, type RecordedRequest, recordedRequests } from "./requests.ts";
import type { ClientId } from "./sdk/index.ts";
import { streamChecks, streamSubject } from "./streams.ts";
import { wholeChecks, wholeSubject } from "./wholes.ts";

type Run = () => Finding | Promise<Finding>;

/** The checks of one recording by client. What several clients need of it is read once. */
function checksOf(recording: Recording, effort: Effort): (client: ClientId) => [Check, Run][] {
  if (recording.status !== 200) return (client) => [["error", () => checkRecordedRefusal(recording, client)]];
  if (!recording.stream) {
    const subject = wholeSubject(recording);
    return (client) => wholeChecks(subject, client, effort);
  }
  const subject = streamSubject(recording);
  return (client) => streamChecks(subject, client, effort);
}

/** A body that cannot even be read is a fault for every client. */
function readOnce(recording: Recording, effort: Effort): ReturnType<typeof checksOf> {
  try {
    return checksOf(recording, effort);
  } catch (error) {
    return () => [["relay", () => Promise.reject(error)]];
  }
}

async function runCheck(check: Check, run: Run): Promise<Pick<CaseResult, "check" | "outcome" | "reasons" | "fault" | "places">> {
  try {
    const { reasons = [], places = 0 } = await run();
    return { check, outcome: reasons.length > 0 ? "listed" : "passed", reasons: [...new Set(reasons)], fault: null, places };
  } catch (error) {
    const fault = error instanceof Fault ? error.message : error instanceof Error ? `threw ${error.name}: ${error.message}` : String(error);
    return { check, outcome: "failed", reasons: [], fault: fault.slice(0, 600), places: 0 };
  }
}

export async function runRecording(recording: Recording, clients: readonly ClientId[], effort: Effort): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  const checks = readOnce(recording, effort);
  for (const client of clients) {
    for (const [check, run] of checks(client))
      results.push({ upstream: recording.protocol, client, body: recording.name, provider: null, ...(await runCheck(check, run)) });
  }
  return results;
}

export async function runRequest(request: RecordedRequest, upstreams: readonly ProtocolId[], quirks: Quirks = {}): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  for (const upstream of upstreams) {
    const result = await runCheck("request", () => checkRequest(request, upstream, quirks));
    results.push({ upstream, client: request.client, body: request.name, provider: null, ...result });
  }
  return results;
}

/** Every which recorded request is tried on each provider. */
const REQUEST_STEP = 25;

/**
 * A provider of the registry: the bodies of our own in each format that it speaks, read with its quirks, and requests as it takes them. A
 * provider that was added is here by being in the registry.
 */
export async function runProvider(provider: ProviderDefinition, clients: readonly ClientId[], effort: Effort): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  const { id, quirks, endpoints } = provider;
  const requests = recordedRequests.filter(({ name }, index) => name.startsWith("own ") || index % REQUEST_STEP === 0);
  for (const { protocol } of endpoints.filter((endpoint) => operationOf(endpoint.protocol) === "generate")) {
    for (const recording of recordings.filter((each) => each.provider === "own" && each.protocol === protocol))
      results.push(...(await runRecording({ ...recording, provider: id, name: `${id}: ${recording.name}` }, clients, effort)));
    for (const request of requests) results.push(...(await runRequest(request, [protocol], quirks)));
  }
  return results.map((result) => ({ ...result, provider: id }));
}
