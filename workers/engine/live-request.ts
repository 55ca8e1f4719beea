/** One request while it runs: its transitions, attempts and times, and how far its answer got. Every transition goes through `move`. */
import type { DispatchPhase } from "../../schema/estimate.ts";
import type { AttemptRecord, LifecycleEvent, LifecycleFrame, OpenRequest, Progress, RequestState } from "../../schema/request.ts";
import type { Meter } from "../protocol/relay-contract.ts";

export interface LiveRequest {
  id: string;
  facts: OpenRequest;
  snapshot: string;
  frames: LifecycleFrame[];
  attempts: AttemptRecord[];
  firstByteAt: number | null;
  meter: Readonly<Meter> | null;
  /** How far the current attempt got; `content` and `no-content` are told apart by the meter. */
  phase: DispatchPhase;
  /** Stored progress of a request taken over from an owner that died; null for one that runs here. */
  progress: Progress | null;
}

/** Appends the next numbered frame and gives it. */
export function addFrame(live: LiveRequest, event: LifecycleEvent, at: number, detail?: Record<string, unknown>): LifecycleFrame {
  const frame: LifecycleFrame = { seq: live.frames.length + 1, at, event, ...(detail === undefined ? {} : { detail }) };
  live.frames.push(frame);
  return frame;
}

/** The stored state: the last frame that names one (`released` ends a hold, it is no state). */
export function stateOf(frames: readonly LifecycleFrame[]): RequestState {
  const ended = frames.find((frame) => frame.event === "failed" || frame.event === "cancelled" || frame.event === "expired");
  const last = ended ?? frames.findLast((frame) => frame.event !== "released");
  return last === undefined || last.event === "released" ? "received" : last.event;
}

/** Whether the hold of a request with these frames has been settled or released. */
export function isEnded(frames: readonly LifecycleFrame[]): boolean {
  return frames.some((frame) => frame.event === "settled" || frame.event === "released");
}

/** What of the meter is stored now and then, so that a successor could settle. */
export function progressOf(live: LiveRequest): Progress | null {
  const { meter } = live;
  if (meter === null) return live.progress;
  return {
    phase: live.phase,
    finish_reason: meter.finish?.raw ?? null,
    usage: meter.usage,
    usage_final: meter.usageFinal,
    output_characters: meter.outputCharacters,
    content_seen: meter.contentSeen,
    first_byte_at: live.firstByteAt,
  };
}
