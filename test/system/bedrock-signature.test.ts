/** Signatures of calls to a provider that takes no key, as they arrive at an address of its own, checked against ones computed from the bytes on the wire. */
import { createHash, createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Stage, startStage } from "./shared-system.ts";

describe("signatures at an address of the provider", () => {
  const SECRET = "a/secret+with=signs";
  const seen: { request: IncomingMessage; body: string }[] = [];
  let upstream: Server;
  let signed: Stage;

  beforeAll(async () => {
    upstream = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        seen.push({ request, body: Buffer.concat(chunks).toString() });
        response.writeHead(200, { "content-type": "application/json" });
        const message = { role: "assistant", content: [{ text: "Signed." }] };
        const usage = { inputTokens: 3, outputTokens: 2, totalTokens: 5 };
        response.end(JSON.stringify({ output: { message }, stopReason: "end_turn", usage }));
      });
    });
    await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
    const { port } = upstream.address() as AddressInfo;
    signed = await startStage({
      AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
      AWS_SECRET_ACCESS_KEY: SECRET,
      AWS_SESSION_TOKEN: "session//token",
      AWS_REGION: "eu-north-1",
      BEDROCK_BASE_URL: `http://127.0.0.1:${port}`,
    });
  });
  afterAll(async () => {
    await signed.close();
    upstream.close();
  });

  test("are the ones computed from the bytes on the wire, and nothing of the secret is kept", async () => {
    const payer = await signed.account(1_000_000_000);
    const response = await fetch(`${signed.system.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${payer.key}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "bedrock/amazon.nova-lite-v1:0", messages: [{ role: "user", content: "Маяк" }] }),
    });
    expect(await response.json()).toMatchObject({ choices: [{ message: { content: "Signed." } }] });
    const [call] = seen;
    if (call === undefined) expect.fail("nothing arrived");
    const { headers } = call.request;
    expect(call.request.url).toBe("/model/amazon.nova-lite-v1%3A0/converse");
    expect(headers["x-amz-security-token"]).toBe("session//token");
    const match = /Credential=AKIDEXAMPLE\/(\d{8})\/eu-north-1\/bedrock\/aws4_request, SignedHeaders=(\S+), Signature=(\w+)$/.exec(
      headers.authorization ?? "",
    );
    const [, day = "", names = "", signature] = match ?? [];
    const canonicalHeaders = names.split(";").map((name) => `${name}:${String(headers[name])}\n`);
    const hash = (text: string): string => createHash("sha256").update(text).digest("hex");
    const canonical = ["POST", "/model/amazon.nova-lite-v1%253A0/converse", "", canonicalHeaders.join(""), names, hash(call.body)].join(
      "\n",
    );
    const scope = `${day}/eu-north-1/bedrock/aws4_request`;
    const toSign = ["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, hash(canonical)].join("\n");
    const step = (key: Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();
    const key = [day, "eu-north-1", "bedrock", "aws4_request"].reduce(step, Buffer.from(`AWS4${SECRET}`));
    expect(signature).toBe(step(key, toSign).toString("hex"));
    const view = await payer.request(response.headers.get("x-plyrum-request-id") ?? "");
    for (const secret of [SECRET, "session//token", "AKIDEXAMPLE"]) expect(JSON.stringify(view)).not.toContain(secret);
  });
});
