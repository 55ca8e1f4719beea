/** Media by address on its way to several providers: who needs its bytes, who gets its address, and which field is named when there are none. */
import { describe, expect, test } from "vitest";
import type { Plan } from "../../schema/plan.ts";
import type { ProtocolId } from "../../schema/protocol.ts";
import { addressesToFetch, fetchedOrRefused, withAllMedia, withMediaFor } from "../../workers/engine/linked-media.ts";
import { renderAttempt } from "../../workers/engine/render-attempt.ts";
import type { CanonicalRequest } from "../../workers/protocol/canonical.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import { measurePrompt } from "../../workers/protocol/measure.ts";

const PNG = { mediaType: "image/png", data: "iVBORw0KGgo=" };
const PDF = { mediaType: "application/pdf", data: "JVBERi0x" };
const A = "https://a.co/a.png";
const B = "https://a.co/b.pdf";
const C = "https://a.co/typeless";

const body = {
  model: "m",
  max_tokens: 9,
  messages: [
    {
      role: "user",
      content: [
        { type: "image", source: { type: "url", url: A } },
        { type: "document", title: "b", source: { type: "url", url: B } },
        { type: "image", source: { type: "url", url: C } },
        { type: "image", source: { type: "base64", media_type: "image/gif", data: "R0lG" } },
        { type: "image", source: { type: "file", file_id: "file_1" } },
      ],
    },
    { role: "assistant", content: [{ type: "tool_use", id: "t", name: "f", input: {} }] },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "t", content: [{ type: "image", source: { type: "url", url: A } }] }] },
  ],
};
const bodyText = JSON.stringify(body);

function parsed(): CanonicalRequest {
  const request = PROTOCOLS["anthropic-messages"].parseRequest(bodyText);
  if (!request.ok) throw new Error(request.error.message);
  return request.value;
}

function planOf(...protocols: ProtocolId[]): Plan {
  const attempts = protocols.map((protocol) => ({
    provider: "p",
    model: "m",
    protocol,
    url: "https://p.test",
    auth: { kind: "bearer" as const },
    headers: {},
    passed_headers: [],
    abort_stops_billing: true,
    quirks: {},
  }));
  return { version: 1, model: "p/m", reason: "slug", attempts, output_tokens_max: 100 };
}

describe("addressesToFetch()", () => {
  test.each<[ProtocolId, string[]]>([
    ["anthropic-messages", []],
    ["openai-responses", []],
    ["cohere-chat", []],
    ["openai-chat", [B]],
    ["ollama-chat", [A, C]],
    ["ollama-generate", [A, C]],
    ["gemini", [A, C]],
    ["bedrock-converse", [A, B, C]],
    ["bedrock-invoke", [A, B, C]],
  ])("%s needs the bytes of %j", (protocol, addresses) => {
    expect([...addressesToFetch(parsed(), planOf(protocol))].toSorted()).toEqual(addresses);
  });

  test("names each address once for several attempts", () => {
    expect([...addressesToFetch(parsed(), planOf("openai-responses", "bedrock-converse", "ollama-chat", "bedrock-converse"))]).toHaveLength(
      3,
    );
  });
});

describe("fetched media", () => {
  const media = new Map([
    [A, PNG],
    [B, PDF],
    [C, PDF],
  ]);

  test("goes as bytes to the attempt that needs them and as an address to the one that reads it", () => {
    const rendered = renderAttempt({
      bodyText,
      request: parsed(),
      plan: planOf("openai-responses", "bedrock-converse", "anthropic-messages"),
      lossy: true,
      media,
    });
    if (!rendered.ok) throw new Error(rendered.error.message);
    const [responses = "", converse = "", messages = ""] = rendered.value.bodies.map((bytes) => new TextDecoder().decode(bytes));
    expect(responses).toContain(`"image_url":"${A}"`);
    expect(responses).not.toContain(PNG.data);
    expect(converse).toContain(`{"image":{"format":"png","source":{"bytes":"${PNG.data}"}}}`);
    expect(converse).toContain(`{"document":{"format":"pdf","name":"b","source":{"bytes":"${PDF.data}"}}}`);
    expect(converse).not.toContain("https://");
    expect(messages).toBe(bodyText);
  });

  test("is what its bytes say, in a tool's result too", () => {
    const request = withMediaFor(parsed(), "bedrock-converse", media);
    expect(request.turns[0]?.blocks.map((block) => block.type)).toEqual(["image", "file", "file", "image", "image"]);
    expect(request.turns[2]?.blocks).toMatchObject([
      { type: "tool-result", content: [{ type: "image", source: { kind: "base64", ...PNG } }] },
    ]);
  });

  test("is measured by its bytes", () => {
    expect(measurePrompt(parsed())).toMatchObject({ images: 5, files_unsized: 1, file_bytes: 0 });
    expect(measurePrompt(withAllMedia(parsed(), media))).toMatchObject({ images: 4, files_unsized: 0, file_bytes: 12 });
  });
});

describe("fetchedOrRefused()", () => {
  test("names the field that holds the address", () => {
    const refused = fetchedOrRefused({ ok: false, url: C, reason: "it is empty" }, bodyText);
    expect(refused).toMatchObject({ ok: false, error: { code: "invalid_request", status: 400, param: "messages.0.content.2.source.url" } });
  });

  test("names none where the address is not written so", () => {
    expect(fetchedOrRefused({ ok: false, url: "https://elsewhere.co", reason: "x" }, bodyText)).toMatchObject({
      ok: false,
      error: { param: null },
    });
  });
});
