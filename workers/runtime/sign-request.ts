/** AWS Signature Version 4: proves who sends a call, for providers that take no key. Made at the moment of sending, and never stored. */
import { AwsV4Signer } from "aws4fetch";
import type { Auth } from "../../schema/provider.ts";
import type { AttemptCall } from "./send-attempt.ts";

/**
 * The call's headers with date, signature and, where the credential has one, session token. `credential` is `KEY_ID:SECRET[:SESSION_TOKEN]`;
 * without a secret there is nothing to sign with, and the headers come back as they are. `now` in milliseconds.
 *
 * The path is signed with its percent signs encoded once more, which is what this signature wants of every service but the object store
 * (protocols.md 39: a model's `:` is `%3A` in the address and `%253A` in what is signed).
 */
export async function signRequest(
  call: AttemptCall,
  auth: Extract<Auth, { kind: "sigv4" }>,
  credential: string,
  now: number,
): Promise<Record<string, string>> {
  const [accessKeyId = "", secretAccessKey = "", sessionToken] = credential.split(":");
  if (accessKeyId === "" || secretAccessKey === "") return call.headers;
  const signer = new AwsV4Signer({
    method: "POST",
    url: call.url,
    headers: call.headers,
    body: call.body,
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
    service: auth.service,
    region: auth.region,
    datetime: new Date(now).toISOString().replaceAll(/[:-]|\.\d{3}/g, ""),
  });
  const { headers } = await signer.sign();
  return Object.fromEntries(headers);
}
