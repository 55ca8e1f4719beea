/** The stream of a single call with frames between its events. */
import type { StreamFraming } from "../../../schema/protocol.ts";
import type { Relay } from "../../protocol/relay-contract.ts";
import { endsFrame } from "../../protocol/relay.ts";
import { concatenated } from "../../runtime/bytes.ts";
import type { FrameFeed } from "./rendering.ts";

const encoder = new TextEncoder();

/** Frames go before bytes of the answer, never alone: a call that fails before its first byte is still answered with a real status. */
export function withFrames(relay: Relay, feed: FrameFeed, framing: StreamFraming): Relay {
  let begun = false;
  // Bytes that pass through may end inside an event.
  let isBetween = true;
  let isOver = false;
  const prefixed = (bytes: Uint8Array): Uint8Array => {
    if (bytes.byteLength === 0 || isOver) return bytes;
    const text = isBetween ? feed.take(begun) : "";
    begun = true;
    isOver = relay.meter.ended || relay.meter.error !== null;
    isBetween = endsFrame(bytes, framing);
    return text === "" ? bytes : concatenated([encoder.encode(text), bytes]);
  };
  return {
    ...relay,
    meter: relay.meter,
    push: (bytes) => prefixed(relay.push(bytes)),
    end: (failure) => prefixed(relay.end(failure)),
    cut: (cut) => prefixed(relay.cut(cut)),
  };
}
