/** An upstream that refuses every call and remembers it: for tests of where a call goes, with which credential. */
import { createServer, type Server } from "node:http";
import { z } from "zod";

/** A server that answers anything with an error naming what it was sent: the path, the credential, the body. */
export interface Echo {
  url: string;
  server: Server;
  calls: { path: string; authorization: string | null; body: Record<string, unknown> }[];
}

/** Listens on a free port of this machine until its `server` is closed. */
export async function startEcho(): Promise<Echo> {
  const calls: Echo["calls"] = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const { headers } = request;
    const credential = headers.authorization ?? headers["x-api-key"] ?? headers["x-goog-api-key"] ?? headers["api-key"] ?? null;
    calls.push({
      path: request.url ?? "",
      authorization: Array.isArray(credential) ? (credential[0] ?? null) : credential,
      body: z.record(z.string(), z.unknown()).parse(JSON.parse(text)),
    });
    response.writeHead(418, { "content-type": "application/json" });
    response.end(JSON.stringify({ error: { message: "seen", type: "teapot", code: null, param: null } }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return { url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`, server, calls };
}
