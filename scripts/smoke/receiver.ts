/**
 * A receiver of our own webhooks for `scripts/smoke.sh`: prints its port, checks each message by the Standard Webhooks specification with
 * the secret in the file it is given (written once the webhook is registered), and lists what came at `GET /`.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";

const [secretFile = ""] = process.argv.slice(2);
const TOLERANCE_SECONDS = 300;
const seen: string[] = [];

function isSigned(headers: IncomingMessage["headers"], body: string): boolean {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures } = headers;
  if (typeof id !== "string" || typeof timestamp !== "string" || typeof signatures !== "string") return false;
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= TOLERANCE_SECONDS)) return false;
  const key = Buffer.from(
    readFileSync(secretFile, "utf8")
      .trim()
      .replace(/^whsec_/, ""),
    "base64",
  );
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest();
  return signatures.split(" ").some((signature) => {
    const given = Buffer.from(signature.replace(/^v1,/, ""), "base64");
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const bytes of request) text += String(bytes);
  return text;
}

const server = createServer((request, response) => {
  void (async () => {
    if (request.method !== "POST") return response.end(`${seen.join("\n")}\n`);
    const body = await textOf(request);
    const type = /"type":\s*"([\w.]+)"/.exec(body)?.[1] ?? "no type";
    const verdict = isSigned(request.headers, body) ? "signed" : "FORGED";
    seen.push(`${type} ${verdict}`);
    response.writeHead(verdict === "signed" ? 204 : 401).end();
    return response;
  })();
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.stdout.write(`${typeof address === "object" && address !== null ? address.port : ""}\n`);
});
