/**
 * What one wire format offers, seen from both ends: as a server (a caller speaks it to us) and as a client (we speak it to a
 * provider). `parse*` is wire → canonical, `render*` is canonical → wire. All pure: ids, time and prices are arguments.
 */
import type { GatewayError, Outcome } from "../../schema/error.ts";
import type { ProtocolId, StreamFraming } from "../../schema/protocol.ts";
import type { Quirks } from "../../schema/provider.ts";
import type { Usage } from "../../schema/usage.ts";
import type { CanonicalEvent, CanonicalRequest, Loss } from "./canonical.ts";

export type { Quirks } from "../../schema/provider.ts";

/** What `renderRequest` must know about the target beside the request. */
export interface RenderTarget {
  /** The model name as the provider knows it. */
  model: string;
  quirks: Quirks;
  /** The model's output cap from the catalogue: used where the wire demands one and the caller gave none. */
  maxOutputTokens: number;
}

export interface RenderedRequest {
  body: string;
  losses: Loss[];
}

/** What a call's address says of it, for formats that keep the model or the streaming switch out of the body. */
export interface RequestAddress {
  /** The model in the path; null where the body names it. */
  model: string | null;
  /** Whether the path asks for a stream; null where the body says so. */
  stream: boolean | null;
}

/** Media of a request that stands there as an address. */
export interface LinkedMedia {
  type: "image" | "file" | "audio";
  url: string;
  inToolResult: boolean;
}

/** An address that says nothing: everything is in the body. */
export const NO_ADDRESS: RequestAddress = { model: null, stream: null };

/** One frame of a stream: its exact bytes (comments and blank lines included) and what it says. */
export interface Frame {
  /** The frame's own bytes, terminator included, as they arrived. */
  bytes: Uint8Array;
  /** SSE event name, or a binary frame's `:event-type` or `:exception-type`; null when none was sent. */
  event: string | null;
  /** SSE: joined data lines, null for a frame of comments only. NDJSON: the line. Binary: the payload as text. */
  data: string | null;
  /** Binary: the frame says that it is no event but an exception. Left out elsewhere. */
  exception?: true;
}

/** Splits bytes into frames, whatever the chunk boundaries. Keeps an incomplete tail, bounded by `LIMITS.frameBytes`. */
export interface Framer {
  push(bytes: Uint8Array): Frame[];
  /** The unterminated rest at the end of the body, as a last frame. */
  end(): Frame[];
  /** Bytes kept because their frame is not complete yet. */
  pendingBytes(): number;
}

/** Provider's stream → events. One decoder per attempt; keeps the state that events depend on. */
export interface Decoder {
  decode(frame: Frame): CanonicalEvent[];
  /** The body ended: closes what is open; emits an error event when the wire's terminator or finish never came. */
  end(): CanonicalEvent[];
}

/** What an encoder needs that is not in the events. */
export interface EncoderContext {
  /** Our id of the answer, used when the provider gave none. */
  id: string;
  /** The model name shown to the caller when the provider gave none. */
  model: string;
  /** Unix seconds, for formats that show a creation time and a provider that gave none. */
  createdSeconds: number;
  /** Whether the caller asked for usage in the stream. */
  wantsStreamUsage: boolean;
  /** The id that the answer has whatever id the provider gave; left out: the provider's. */
  answerId?: string;
  /** Members of the answer that only repeat what was asked, where the wire has such and they are known. */
  echo?: Readonly<Record<string, unknown>>;
  /** How the caller wants the vectors of an embedding; null or left out: it did not say. */
  embeddingEncoding?: "float" | "base64" | null;
  /** Called once with the final usage, just before it is rendered; null leaves the cost field out. */
  costMicroRub: (usage: Usage) => number | null;
}

/** Events → caller's stream. Owns ids, indexes, brackets and sequence numbers; never emits an ill-formed sequence. */
export interface Encoder {
  /** The caller's bytes for one event; text where the framing is text. Empty: nothing to say. */
  encode(event: CanonicalEvent): string | Uint8Array;
}

export interface Protocol {
  id: ProtocolId;
  /** Content type of a streamed answer. */
  streamContentType: string;
  framing: StreamFraming;

  // As a server.
  parseRequest(bodyText: string, address?: RequestAddress): Outcome<CanonicalRequest>;
  /** The whole answer as one body, from the events of the stream (fold). */
  renderResponse(events: readonly CanonicalEvent[], context: EncoderContext): string;
  createEncoder(context: EncoderContext): Encoder;
  /** The end of a stream repeats the whole answer. */
  endRepeatsAnswer?: true;
  /** The end that a fresh encoder wrote, as it follows a stream of so many frames that another wrote: for wires that number frames or name items. */
  continued?(pieces: readonly (string | Uint8Array)[], frames: number): (string | Uint8Array)[];
  /** Error body, in the caller's shape (contract §4). */
  renderError(error: GatewayError, requestId: string): string;
  /** Headers of an error body, where the protocol says something there that its clients read. */
  errorHeaders?(error: GatewayError): Record<string, string>;
  /** An error after the first byte: the protocol's own in-stream error, with no success terminator after it. */
  renderStreamError(error: GatewayError, requestId: string): string | Uint8Array;

  // As a client.
  renderRequest(request: CanonicalRequest, target: RenderTarget): RenderedRequest;
  /**
   * Whether media at an address can be carried as bytes and not as it is. Left out: addresses are carried wherever bytes are.
   * The bytes would be those of a picture or a PDF (workers/runtime/fetch-media.ts).
   */
  needsMediaBytes?(media: LinkedMedia): boolean;
  createFramer(): Framer;
  createDecoder(quirks: Quirks): Decoder;
  /** A 2xx unary body → the same events a stream would give, ending in `end`. An error body with status 200 gives an error event. */
  parseResponse(bodyText: string, quirks: Quirks): CanonicalEvent[];
  /** A non-2xx body (JSON of any known shape, HTML, nothing) → an error of our table with the upstream's message kept. */
  parseError(status: number, headers: Headers, bodyText: string): GatewayError;

  // Same protocol in and out.
  /** The caller's own body with only what the gateway must change: model name, output cap when absent, usage in streams. All else byte for byte. */
  spliceRequest(bodyText: string, request: CanonicalRequest, target: RenderTarget): string;
  /**
   * Rewrites one frame for the caller. `null`: leave the frame out (a usage chunk the caller did not ask for). The same frame
   * object: pass its bytes untouched. Called only for frames whose events hold a usage event.
   */
  spliceUsageFrame(frame: Frame, options: { wantsStreamUsage: boolean; costMicroRub: number | null; final: boolean }): Uint8Array | null;
  /** The unary counterpart: the body text with `cost_micro_rub` added to its usage object; unchanged when it has none. */
  spliceUsageBody(bodyText: string, costMicroRub: number): string;
}
