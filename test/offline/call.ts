/** One call to the offline provider on a real socket, with every piece as it came. */
import { request } from "node:http";

export interface Heard {
  /** 0 when no status line came. */
  status: number;
  headers: Record<string, string | string[] | undefined>;
  pieces: Buffer[];
  text: string;
  /** `end`: the body ended as its framing says. `cut`: the connection broke. `left`: the caller went away. */
  ended: "end" | "cut" | "left";
  /** Milliseconds from the call to the first byte of the body, and to the end. */
  firstAt: number;
  endAt: number;
}

export interface CallInit {
  body?: unknown;
  headers?: Record<string, string>;
  /** Goes away after so many pieces, or after so many milliseconds. */
  leaveAfterPieces?: number;
  leaveAfterMilliseconds?: number;
  method?: string;
}

export function call(url: string, init: CallInit = {}): Promise<Heard> {
  const startedAt = performance.now();
  const heard: Heard = { status: 0, headers: {}, pieces: [], text: "", ended: "cut", firstAt: -1, endAt: -1 };
  return new Promise((resolve) => {
    const finish = (ended: Heard["ended"]): void => {
      if (heard.endAt !== -1) return;
      heard.ended = ended;
      heard.endAt = performance.now() - startedAt;
      heard.text = Buffer.concat(heard.pieces).toString("utf8");
      outgoing.destroy();
      resolve(heard);
    };
    const method = init.method ?? (init.body === undefined ? "GET" : "POST");
    const headers = { authorization: "Bearer test", "x-api-key": "test", "content-type": "application/json", ...init.headers };
    const outgoing = request(url, { method, headers, agent: false }, (response) => {
      heard.status = response.statusCode ?? 0;
      heard.headers = response.headers;
      response.on("data", (piece: Buffer) => {
        if (heard.firstAt === -1) heard.firstAt = performance.now() - startedAt;
        heard.pieces.push(piece);
        if (heard.pieces.length === init.leaveAfterPieces) finish("left");
      });
      response.on("end", () => finish("end"));
      response.on("error", () => finish("cut"));
      response.on("close", () => finish(response.complete ? "end" : "cut"));
    });
    outgoing.on("error", () => finish("cut"));
    if (init.leaveAfterMilliseconds !== undefined) setTimeout(() => finish("left"), init.leaveAfterMilliseconds);
    outgoing.end(init.body === undefined ? undefined : typeof init.body === "string" ? init.body : JSON.stringify(init.body));
  });
}

/** The data lines of server-sent events. */
export function dataOf(text: string): string[] {
  return [...text.matchAll(/^data: ?(.*)$/gm)].map((match) => (match[1] ?? "").trimEnd());
}
