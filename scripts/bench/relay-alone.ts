/**
 * The relay without anything around it: one stream's bytes from a provider's wire to a caller's, in this process. Short, and steady where the
 * whole system's CPU is not, so it shows which decoder or encoder is slow. The least of many runs counts, each beside one of pass-through.
 */
import type { CanonicalEvent } from "../../workers/protocol/canonical.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import type { EncoderContext } from "../../workers/protocol/protocol.ts";
import { createRelay } from "../../workers/protocol/relay.ts";
import { CALLERS, type Caller, CHUNKS, type Pair } from "./pairs.ts";

export interface RelayRow extends Pair {
  chunkMicroseconds: number;
  /** Of the provider's own wire to a caller of it, metered. */
  passMicroseconds: number;
}

const context: EncoderContext = { id: "bench", model: "m", createdSeconds: 1_700_000_000, wantsStreamUsage: true, costMicroRub: () => 12 };

function answer(): CanonicalEvent[] {
  const usage = {
    input_tokens: 180,
    cache_read_tokens: null,
    cache_write_5m_tokens: null,
    cache_write_1h_tokens: null,
    output_tokens: CHUNKS,
    reasoning_tokens: null,
  };
  return [
    { type: "start", id: "bench", model: "m", createdSeconds: 1_700_000_000 },
    { type: "text-start", block: 0, choice: 0, refusal: false },
    ...Array.from({ length: CHUNKS }, (_, index): CanonicalEvent => ({ type: "text-delta", block: 0, text: `word${index} and ` })),
    { type: "text-end", block: 0 },
    { type: "usage", usage, final: true, anomaly: null },
    { type: "finish", choice: 0, unified: "stop", raw: "stop", stopSequence: null, detailsJson: null },
    { type: "end" },
  ];
}

/** A provider's stream, a network chunk an event. */
function streamOf(upstream: Caller): Uint8Array[] {
  const encoder = PROTOCOLS[upstream].createEncoder(context);
  return answer()
    .map((event) => Buffer.from(encoder.encode(event)))
    .filter((bytes) => bytes.length > 0);
}

function relayOnce({ caller, upstream }: { caller: Caller; upstream: Caller }, chunks: readonly Uint8Array[]): void {
  const relay = createRelay({ upstream: PROTOCOLS[upstream], caller: PROTOCOLS[caller], quirks: {}, context, requestId: "bench" });
  for (const chunk of chunks) relay.push(chunk);
  relay.end(null);
  if (relay.meter.error !== null) throw new Error(`${caller} → ${upstream}: ${relay.meter.error.message}`);
}

function microsecondsOf(run: () => void): number {
  const started = performance.now();
  run();
  return ((performance.now() - started) * 1000) / CHUNKS;
}

/** Every caller's wire against every provider's wire that has an encoder of streams here. */
export function measureRelays(runs: number): RelayRow[] {
  return CALLERS.flatMap((upstream) => {
    const chunks = streamOf(upstream);
    return CALLERS.map((caller) => {
      let [chunkMicroseconds, passMicroseconds] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
      for (let run = 0; run < runs; run++) {
        passMicroseconds = Math.min(
          passMicroseconds,
          microsecondsOf(() => relayOnce({ caller: upstream, upstream }, chunks)),
        );
        chunkMicroseconds = Math.min(
          chunkMicroseconds,
          microsecondsOf(() => relayOnce({ caller, upstream }, chunks)),
        );
      }
      return { caller, upstream, chunkMicroseconds, passMicroseconds };
    });
  });
}
