/** A raw client of the running system: posts a completion, and leaves when told to. */
import { request as send } from "node:http";
import type { Account, Stage } from "./shared-system.ts";

export interface Sent {
  status: number;
  id: string;
  text: string;
  headers: Record<string, string | string[] | undefined>;
}

/** Posts a completion; with `leaveAfter` the connection is destroyed after so many reads of the body. */
export function post(
  stage: Stage,
  account: Account,
  body: object,
  options: { headers?: Record<string, string>; leaveAfter?: number; path?: string } = {},
): Promise<Sent> {
  const url = new URL(stage.system.url);
  const text = JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const outgoing = send(
      {
        host: url.hostname,
        port: url.port,
        method: "POST",
        path: options.path ?? "/v1/chat/completions",
        headers: {
          authorization: `Bearer ${account.key}`,
          "content-type": "application/json",
          "content-length": Buffer.byteLength(text),
          ...options.headers,
        },
      },
      (response) => {
        const sent: Sent = {
          status: response.statusCode ?? 0,
          id: String(response.headers["x-plyrum-request-id"]),
          text: "",
          headers: response.headers,
        };
        let reads = 0;
        if (options.leaveAfter === 0) {
          outgoing.destroy();
          return resolve(sent);
        }
        response.on("data", (bytes: Buffer) => {
          sent.text += bytes.toString();
          reads += 1;
          if (reads === options.leaveAfter) {
            outgoing.destroy();
            resolve(sent);
          }
        });
        response.on("end", () => resolve(sent));
        response.on("error", () => resolve(sent));
      },
    );
    outgoing.on("error", (error) => (options.leaveAfter === undefined ? reject(error) : undefined));
    outgoing.end(text);
  });
}
