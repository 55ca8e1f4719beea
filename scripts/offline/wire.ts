/** What one wire format offers the offline provider: reading a request, writing an answer, a stream or an error as that provider does. */
import type { Answer, Ask } from "./answer.ts";
import type { Commands } from "./commands.ts";

export type ReadAsk = { ok: true; ask: Ask } | { ok: false; status: number; type: string; message: string };

export interface WireFormat {
  /** Content type of a stream; server-sent events when left out. */
  streamType?: string;
  /** What the address says of a call, for formats that keep it out of the body. Default: the body's `model` and `stream`. */
  addressed?: (url: URL, body: Record<string, unknown>) => Addressed;
  /** The provider takes calls without a credential. Default false. */
  open?: boolean;
  /** Reads a request body, refusing what the real provider refuses. */
  read: (body: Record<string, unknown>, addressed: Addressed) => ReadAsk;
  unary: (answer: Answer, facts: WireFacts) => string;
  /** The stream as its events, each with its bytes' text and how many output tokens it carries. */
  events: (answer: Answer, facts: WireFacts) => WireEvent[];
  error: (status: number, message: string, type: string | null) => string;
  /** Headers of an error body, where the provider says something there. */
  errorHeaders?: (status: number) => Record<string, string>;
  /** The provider's own error inside a stream. */
  streamError: string | Buffer;
}

export interface WireFacts {
  id: string;
  model: string;
  commands: Commands;
  /** The caller asked for usage in the stream. */
  wantsUsage: boolean;
  choices: number;
  /** The request's body, for wires whose answer shows more or less as it asks. */
  request: Record<string, unknown>;
}

export interface Addressed {
  model: string;
  stream: boolean;
}

export interface WireEvent {
  /** Its bytes, or their text. */
  text: string | Buffer;
  outputTokens: number;
  /** This event tells the caller the final usage. */
  reportsUsage: boolean;
}

/** Error types by status, as both providers name the common ones. */
export function plainMessage(status: number): string {
  const messages: Record<number, string> = {
    400: "The request was not valid.",
    401: "Incorrect API key provided.",
    403: "Your credential has no access to this resource.",
    404: "The model does not exist or you do not have access to it.",
    413: "Request exceeds the maximum size.",
    429: "Rate limit reached for requests. Please try again later.",
    500: "The server had an error while processing your request.",
    503: "The engine is currently overloaded.",
    529: "Overloaded",
  };
  return messages[status] ?? "The server had an error.";
}
