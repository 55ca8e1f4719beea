/** One request while it runs: its transitions, attempts and times, and how far its answer got. Every transition goes through `move`. */
import type { DispatchPhase } from "../../schema/estimate.ts";
import {
  type AttemptRecord,
  type LifecycleEvent,
  type LifecycleFrame,
  type OpenRequest,
  type Progress,
  type RequestState,
  requestStateSchema,
} from "../../schema/request.ts";
import { UNKNOWN_USAGE, type Usage } from "../../schema/usage.ts";
import type { Meter } from "../protocol/relay-contract.ts";
import { type LiveLeg, progressOfLeg } from "./mixture/legs.ts";

export interface LiveRequest {
  id: string;
  facts: OpenRequest;
  frames: LifecycleFrame[];
  attempts: AttemptRecord[];
  /** Index of the plan's candidate that is asked, or answers. */
  candidate: number;
  firstByteAt: number | null;
  meter: Readonly<Meter> | null;
  /** How far the current attempt got; `content` and `no-content` are told apart by the meter. */
  phase: DispatchPhase;
  /** Not null: the answer was cut, and is charged by this. */
  cut: Usage | null;
  /** Stored progress of a request taken over from an owner that died; null for one that runs here. */
  progress: Progress | null;
  /** The calls of an ensemble, in the order they were begun; left out for a single call. */
  legs?: LiveLeg[];
  /** Its caller called it off. */
  cancelled?: boolean;
  /** Its caller had left, and what remained of its answer took too long. */
  drainedOut?: boolean;
  /** Ends what is under way upstream, where that ends its bill. */
  stop?: () => void;
  /** Why an ensemble's answer is less than was planned; null where it is not. */
  degraded?: string | null;
}

/** Appends the next numbered frame and gives it. */
export function addFrame(live: LiveRequest, event: LifecycleEvent, at: number, detail?: Record<string, unknown>): LifecycleFrame {
  const frame: LifecycleFrame = { seq: live.frames.length + 1, at, event, ...(detail === undefined ? {} : { detail }) };
  live.frames.push(frame);
  return frame;
}

/** The stored state: the last frame that names one (`released` ends a hold, a call of several is a part; neither is a state). */
export function stateOf(frames: readonly LifecycleFrame[]): RequestState {
  const states = frames.flatMap(({ event }) => (isState(event) ? [event] : []));
  return states.find((state) => state === "failed" || state === "cancelled" || state === "expired") ?? states.at(-1) ?? "received";
}

function isState(event: LifecycleEvent): event is RequestState {
  return requestStateSchema.safeParse(event).success;
}

/** Whether the hold of a request with these frames has been settled or released. */
export function isEnded(frames: readonly LifecycleFrame[]): boolean {
  return frames.some((frame) => frame.event === "settled" || frame.event === "released");
}

/** What of the meter is stored now and then, so that a successor could settle. */
export function progressOf(live: LiveRequest): Progress | null {
  const { meter, legs } = live;
  if (meter === null && legs === undefined) return live.progress;
  return {
    phase: live.phase,
    finish_reason: meter?.finish?.raw ?? null,
    usage: meter?.usage ?? UNKNOWN_USAGE,
    usage_final: meter?.usageFinal ?? false,
    output_characters: meter?.outputCharacters ?? 0,
    content_seen: meter?.contentSeen ?? false,
    first_byte_at: live.firstByteAt,
    candidate: live.candidate,
    ...(legs === undefined ? {} : { legs: legs.map(progressOfLeg), degraded: live.degraded ?? null }),
  };
}
