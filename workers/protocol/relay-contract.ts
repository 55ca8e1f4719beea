/** The shape of `createRelay` (relay.ts): the one object the stream pump drives. */
import type { GatewayError } from "../../schema/error.ts";
import type { Usage } from "../../schema/usage.ts";
import type { CanonicalEvent, FinishReason } from "./canonical.ts";
import type { Cut } from "./relay-cut.ts";

/** What has been seen so far; all that settlement needs. */
export interface Meter {
  /** Merged usage; fields never reported are null. */
  usage: Usage;
  /** A non-placeholder usage was seen. */
  usageFinal: boolean;
  usageAnomaly: string | null;
  /** Characters of text, reasoning and tool input that were produced: the basis of an estimate. */
  outputCharacters: number;
  /** Some content (text, reasoning, tool input) was seen. */
  contentSeen: boolean;
  finish: { unified: FinishReason; raw: string } | null;
  /** The wire's terminator was seen. */
  ended: boolean;
  error: GatewayError | null;
  providerId: string | null;
}

export interface Relay {
  /** Upstream bytes in, caller bytes out (possibly empty). Never throws on malformed input: that becomes `meter.error`. */
  push(bytes: Uint8Array): Uint8Array;
  /** The upstream body ended or failed. Gives the last bytes for the caller: a well-formed end, or the protocol's in-stream error. */
  end(failure: GatewayError | null): Uint8Array;
  /** Ends the answer now, in place of `end`, although the upstream has more: a well-formed end with the finish `length`. */
  cut(cut: Cut): Uint8Array;
  meter: Readonly<Meter>;
  /** After the terminal event: whether bytes that still come are passed to the caller (same protocol on both sides), or nothing more is. */
  passesRest(): boolean;
  /** Events since the last call, for whoever records them; empty unless asked for at creation. */
  takeEvents(): CanonicalEvent[];
}
