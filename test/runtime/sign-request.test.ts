/** Signatures, against ones computed here by the letter of Amazon's specification with Node's own hashes. */
import { createHash, createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { signRequest } from "../../workers/runtime/sign-request.ts";

const AUTH = {
  kind: "sigv4" as const,
  service: "bedrock",
  secret_env: "S",
  token_env: "T",
  region_env: "R",
  region: "eu-central-1",
};
const NOW = Date.UTC(2026, 7, 30, 12, 36, 0);

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

/** The signature of a POST by the four steps of the specification. `path` is the path as the service canonicalises it: encoded twice. */
function expectedSignature(input: {
  path: string;
  headers: Record<string, string>;
  names: string[];
  body: string;
  secret: string;
}): string {
  const canonicalHeaders = input.names.map((name) => `${name}:${input.headers[name] ?? ""}\n`).join("");
  const bodyHash = createHash("sha256").update(input.body).digest("hex");
  const canonical = ["POST", input.path, "", canonicalHeaders, input.names.join(";"), bodyHash].join("\n");
  const scope = "20260830/eu-central-1/bedrock/aws4_request";
  const toSign = ["AWS4-HMAC-SHA256", "20260830T123600Z", scope, createHash("sha256").update(canonical).digest("hex")].join("\n");
  const key = ["eu-central-1", "bedrock", "aws4_request"].reduce<Buffer>(hmac, hmac(`AWS4${input.secret}`, "20260830"));
  return hmac(key, toSign).toString("hex");
}

const BODY = '{"messages":[{"role":"user","content":[{"text":"Маяк"}]}]}';

function call(model: string): { url: string; headers: Record<string, string>; body: Uint8Array } {
  return {
    url: `https://bedrock-runtime.eu-central-1.amazonaws.com/model/${encodeURIComponent(model)}/converse-stream`,
    headers: { "content-type": "application/json", accept: "application/vnd.amazon.eventstream", "x-plyrum-request-id": "req_1" },
    body: new TextEncoder().encode(BODY),
  };
}

function partsOf(authorization: string): { credential: string; names: string[]; signature: string } {
  const match = /^AWS4-HMAC-SHA256 Credential=(\S+), SignedHeaders=(\S+), Signature=([0-9a-f]{64})$/.exec(authorization);
  return { credential: match?.[1] ?? "", names: (match?.[2] ?? "").split(";"), signature: match?.[3] ?? "" };
}

describe("signRequest()", () => {
  test.each([
    ["anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic.claude-haiku-4-5-20251001-v1%253A0"],
    [
      "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.nova",
      "arn%253Aaws%253Abedrock%253Aeu-central-1%253A123456789012%253Ainference-profile%252Feu.nova",
    ],
  ])("signs %s with its percent signs encoded once more", async (model, encodedTwice) => {
    const headers = await signRequest(call(model), AUTH, "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", NOW);
    const { credential, names, signature } = partsOf(headers["authorization"] ?? "");
    expect(credential).toBe("AKIDEXAMPLE/20260830/eu-central-1/bedrock/aws4_request");
    expect(names).toEqual(expect.arrayContaining(["host", "x-amz-date"]));
    expect(headers["x-amz-date"]).toBe("20260830T123600Z");
    const signed = { ...headers, host: "bedrock-runtime.eu-central-1.amazonaws.com" };
    const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    expect(signature).toBe(
      expectedSignature({ path: `/model/${encodedTwice}/converse-stream`, headers: signed, names, body: BODY, secret }),
    );
  });

  test("signs the session token along", async () => {
    const headers = await signRequest(call("m"), AUTH, "AKID:secret:IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVz", NOW);
    expect(headers["x-amz-security-token"]).toBe("IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVz");
    const { names, signature } = partsOf(headers["authorization"] ?? "");
    expect(names).toContain("x-amz-security-token");
    const signed = { ...headers, host: "bedrock-runtime.eu-central-1.amazonaws.com" };
    expect(signature).toBe(expectedSignature({ path: "/model/m/converse-stream", headers: signed, names, body: BODY, secret: "secret" }));
  });

  test("keeps every header of the call and puts the secret into none", async () => {
    const given = call("m");
    const headers = await signRequest(given, AUTH, "AKID:a-very-secret-text", NOW);
    expect(headers).toMatchObject(given.headers);
    expect(JSON.stringify(headers)).not.toContain("a-very-secret-text");
  });

  test("sends the call unsigned when the credential has no secret", async () => {
    const given = call("m");
    expect(await signRequest(given, AUTH, "AKID", NOW)).toEqual(given.headers);
  });
});
