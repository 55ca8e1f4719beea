/** The cases of a recorded whole body and one client protocol. */
import type { ProtocolId } from "../../schema/protocol.ts";
import type { GatewayError } from "../../schema/error.ts";
import type { CanonicalEvent } from "../../workers/protocol/canonical.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import { markEvent } from "../../workers/protocol/opaque-state.ts";
import { relayUnary } from "../../workers/protocol/relay.ts";
import { context, decodeStream } from "../protocol/bodies.ts";
import { quirksOf, readingOf } from "../protocol/recorded-reading.ts";
import { type Recording, seededPlaces } from "../protocol/recordings.ts";
import { type Check, demand, demandSame, type Effort, type Finding } from "./case.ts";
import { type Facts, factsOf } from "./facts.ts";
import { sayable } from "./no-word-for.ts";
import { checkRefusal } from "./refusals.ts";
import { type ClientId, SDKS } from "./sdk/index.ts";
import { expectedReading } from "./sdk/reading.ts";
import { shown } from "./streams.ts";

/** A recorded body, read once for all clients. */
export interface WholeSubject {
  recording: Recording;
  text: string;
  events: readonly CanonicalEvent[];
  facts: Facts;
  /** It is an error with status 200, by a plain reading. */
  failed: boolean;
}

export function wholeSubject(recording: Recording): WholeSubject {
  const text = recording.bytes.toString();
  const events = PROTOCOLS[recording.protocol].parseResponse(text, quirksOf(recording));
  return { recording, text, events, facts: factsOf(events), failed: readingOf(recording).error };
}

function relayed(from: ProtocolId, to: ProtocolId, bodyText: string, recording: Recording): ReturnType<typeof relayUnary> {
  return relayUnary({
    upstream: PROTOCOLS[from],
    caller: PROTOCOLS[to],
    quirks: from === recording.protocol ? quirksOf(recording) : {},
    context: context(from === to ? {} : { costMicroRub: () => 5 }),
    bodyText,
  });
}

function checkRelay({ recording, text, failed }: WholeSubject, client: ClientId): Finding {
  const { body, meter } = relayed(recording.protocol, client, text, recording);
  demand((meter.error !== null) === failed, `the relay says ${meter.error?.message ?? "all is well"}`);
  const code = meter.error?.upstream_code ?? "";
  demand(!code.startsWith("reader-"), `the relay threw: ${code}`);
  if (failed) demand(body === "", "a failed answer has a body");
  else if (recording.protocol === client) demand(body === text, "the body is not that of the provider");
  return {};
}

async function checkSdk({ recording, text, facts }: WholeSubject, client: ClientId): Promise<Finding> {
  const sdk = SDKS[client];
  const { body } = relayed(recording.protocol, client, text, recording);
  if (recording.protocol === client) {
    const taken = await sdk.readWhole(body).then(
      () => true,
      () => false,
    );
    return taken ? {} : { reasons: ["the SDK does not take this provider's own bytes, which pass untouched"] };
  }
  const { facts: wanted, reasons } = sayable(facts, client, "whole", { seenByClient: true });
  demandSame(expectedReading(wanted, sdk.words), await sdk.readWhole(body), "the SDK reads ");
  return { reasons };
}

function checkTrip({ recording, text, facts, events }: WholeSubject, client: ClientId): Finding {
  const home = recording.protocol;
  const there = home === client ? PROTOCOLS[home].renderResponse(events, context()) : relayed(home, client, text, recording).body;
  const onWay = sayable(facts, client, "whole");
  demandSame(onWay.facts, shown(factsOf(PROTOCOLS[client].parseResponse(there, {}))), "there ");
  if (home === client) return { reasons: onWay.reasons };
  const back = relayed(client, home, there, recording).body;
  const atHome = sayable(onWay.facts, home, "whole");
  demandSame(atHome.facts, shown(factsOf(PROTOCOLS[home].parseResponse(back, {}))), "back ");
  return { reasons: [...onWay.reasons, ...atHome.reasons] };
}

/** The same answer as a stream: the SDK reads the same out of it, and put together it is the same body. */
async function checkFold({ recording, facts, events }: WholeSubject, client: ClientId): Promise<Finding> {
  const protocol = PROTOCOLS[client];
  const marked = recording.protocol === client ? events : events.map((event) => markEvent(recording.protocol, event));
  const encoder = protocol.createEncoder(context({ costMicroRub: () => 5 }));
  const stream = Buffer.concat(marked.map((event) => Buffer.from(encoder.encode(event))));
  const folded = protocol.renderResponse(decodeStream(protocol, [stream]), context());
  const streamed = sayable(sayable(facts, client, "stream").facts, client, "whole");
  demandSame(streamed.facts, shown(factsOf(protocol.parseResponse(folded, {}))), "the fold says ");
  const sdk = SDKS[client];
  const { facts: wanted, reasons } = sayable(facts, client, "stream", { seenByClient: true });
  demandSame(expectedReading(wanted, sdk.words), await sdk.readStream(stream), "the SDK reads of the stream ");
  return { reasons };
}

/** A body that was cut is no JSON any more, so it is an error and never an answer. */
function checkCuts({ recording, text }: WholeSubject, client: ClientId, effort: Effort): Finding {
  const end = text.trimEnd().length;
  const places =
    end < effort.everyByteBelow ? Array.from({ length: end - 1 }, (_, index) => index + 1) : seededPlaces(end, effort.seededCuts, end - 1);
  for (const place of places) {
    const { body, meter } = relayed(recording.protocol, client, text.slice(0, place), recording);
    demand(meter.error !== null && body === "", `cut at ${place} of ${text.length}, and no error`);
  }
  return { places: places.length };
}

export function wholeChecks(subject: WholeSubject, client: ClientId, effort: Effort): [Check, () => Finding | Promise<Finding>][] {
  const told: [Check, () => Finding | Promise<Finding>][] = [
    ["relay", () => checkRelay(subject, client)],
    ["cuts", () => checkCuts(subject, client, effort)],
  ];
  if (subject.failed) return [...told, ["error", () => checkRefusal(errorOf(subject), client)]];
  return [
    ...told,
    ["sdk", () => checkSdk(subject, client)],
    ["trip", () => checkTrip(subject, client)],
    ["fold", () => checkFold(subject, client)],
  ];
}

function errorOf({ events }: WholeSubject): GatewayError {
  const last = events.at(-1);
  if (last?.type !== "error") throw new Error("the body is no error");
  return last.error;
}
