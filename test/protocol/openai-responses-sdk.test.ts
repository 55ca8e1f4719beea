/** The official client's own reading of what we send: every recorded stream of every format, translated to Responses. */
import OpenAI from "openai";
import { describe, expect, test } from "vitest";
import { gatewayError } from "../../schema/error.ts";
import type { CanonicalEvent } from "../../workers/protocol/canonical.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import { openaiResponses } from "../../workers/protocol/openai-responses/index.ts";
import { context, decodeStream } from "./bodies.ts";
import { type Recording, recordings } from "./recordings.ts";
import { summarise } from "./summary.ts";

/** The official client, fed with what we would send. */
function client(status: number, contentType: string, text: string): OpenAI {
  const answer = (): Promise<Response> => Promise.resolve(new Response(text, { status, headers: { "content-type": contentType } }));
  return new OpenAI({ apiKey: "k", baseURL: "http://offline.test/v1", fetch: answer, maxRetries: 0 });
}

const request = { model: "m", input: "x" };

function decoded(recording: Recording): CanonicalEvent[] {
  return decodeStream(PROTOCOLS[recording.protocol], [recording.bytes]);
}

const streams = recordings.filter((recording) => recording.stream && recording.status === 200 && summarise(decoded(recording)).ended);

describe.each([...new Set(streams.map((recording) => recording.protocol))])("streams of %s", (protocol) => {
  const ofProtocol = streams.filter((recording) => recording.protocol === protocol);

  test("are taken by the official stream helper, with all that they say", async () => {
    for (const recording of ofProtocol) {
      const events = decoded(recording);
      const said = summarise(events).choices[0];
      const encoder = openaiResponses.createEncoder(context({ costMicroRub: () => 5 }));
      const text = events.map((event) => encoder.encode(event)).join("");
      const final = await client(200, "text/event-stream", text).responses.stream(request).finalResponse();
      expect([recording.name, final.output_text]).toEqual([recording.name, said?.text ?? ""]);
      const calls = final.output.filter((item) => item.type === "function_call");
      expect(calls.map((call) => [call.call_id, call.name])).toEqual((said?.calls ?? []).map((call) => [call.id, call.name]));
      const folded = openaiResponses.renderResponse(events, context({ costMicroRub: () => 5 }));
      const whole = await client(200, "application/json", folded).responses.create(request);
      expect(whole.output_text).toBe(final.output_text);
      expect(whole.output).toHaveLength(final.output.length);
    }
    expect(ofProtocol.length).toBeGreaterThan(0);
  });
});

describe("errors", () => {
  const error = gatewayError("overloaded", "The provider is overloaded.");

  test("are thrown by the official client, in a stream and as a body", async () => {
    const encoder = openaiResponses.createEncoder(context());
    const start = encoder.encode({ type: "start", id: "a", model: "m", createdSeconds: null });
    const broken = `${String(start)}${String(openaiResponses.renderStreamError(error, "req_1"))}`;
    await expect(client(200, "text/event-stream", broken).responses.stream(request).finalResponse()).rejects.toThrow(
      "The provider is overloaded.",
    );
    const failure = await client(503, "application/json", openaiResponses.renderError(error, "req_1"))
      .responses.create(request)
      .catch((thrown: unknown) => thrown);
    expect(failure instanceof OpenAI.APIError && [failure.status, failure.code]).toEqual([503, "overloaded"]);
  });
});
