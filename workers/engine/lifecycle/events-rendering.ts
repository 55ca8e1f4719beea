/** The frames of a request without its answer, in a protocol for user interfaces: `GET /v1/requests/:id/events`. */
import type { Plan } from "../../../schema/plan.ts";
import type { LifecycleFrame } from "../../../schema/request.ts";
import { agUiEnd, agUiFrames } from "./ag-ui.ts";
import { aiUiEnd, aiUiFrames, AI_UI_HEADERS } from "./ai-ui.ts";

export interface EventsRendering {
  /** The text of the next frame; of the last one with the end of the run behind it. */
  frame: (frame: LifecycleFrame) => string;
  headers: Record<string, string>;
}

type Failure = { code: string; message: string } | null;

export function eventsRendering(choice: "ag-ui" | "ai-ui", facts: { requestId: string; plan: Plan }): EventsRendering {
  if (choice === "ai-ui") return { frame: withEnd(aiUiFrames(facts), aiUiEnd), headers: AI_UI_HEADERS };
  const frames = agUiFrames(facts);
  return { frame: withEnd(frames.frame, (failure) => agUiEnd(facts.requestId, frames, failure)), headers: {} };
}

/** A request ends when its hold does; how it went was said before that. */
function withEnd(text: (frame: LifecycleFrame) => string, end: (failure: Failure) => string): (frame: LifecycleFrame) => string {
  let failure: Failure = null;
  return (frame) => {
    const { event, detail } = frame;
    if (event === "failed" || event === "expired" || event === "cancelled")
      failure = { code: String(detail?.["code"] ?? event), message: String(detail?.["message"] ?? `The request was ${event}.`) };
    return event === "settled" || event === "released" ? text(frame) + end(failure) : text(frame);
  };
}
