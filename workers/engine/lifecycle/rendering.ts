/**
 * How a request's life is told inside its own stream. One list of frames (`live.frames`, the same that `GET /v1/requests/:id/events` shows) and
 * four ways to write it: comments between the events of the caller's protocol, chunks of that protocol with nothing in them but ours, or a
 * protocol for user interfaces in which frames and answer are one stream (ag-ui.ts, ai-ui.ts).
 */
import type { LifecycleChoice } from "../../../schema/plan.ts";
import type { LifecycleFrame } from "../../../schema/request.ts";
import type { Protocol } from "../../protocol/protocol.ts";
import { createAgUi } from "./ag-ui.ts";
import { createAiUi } from "./ai-ui.ts";
import type { Rendering, RunFacts } from "./contract.ts";
import { chunkText, commentText } from "./in-band.ts";

/** Null asks for the default: comments for a request of several calls, nothing for a single one. */
export function renderingOf(caller: Protocol, choice: LifecycleChoice | null, facts: RunFacts): Rendering {
  const chosen = choice ?? (facts.plan.ensemble === undefined ? "off" : "comments");
  switch (chosen) {
    case "off":
      return { caller, silent: true, replaces: false, frame: () => "", headers: {} };
    case "comments":
      return { caller, silent: false, replaces: false, frame: (frame) => commentText(caller, facts.requestId, frame), headers: {} };
    case "chunks":
      return { caller, silent: false, replaces: false, frame: (frame, begun) => chunkText(caller, facts, { frame, begun }), headers: {} };
    case "ag-ui":
      return createAgUi(caller, facts);
    case "ai-ui":
      return createAiUi(caller, facts);
  }
}

/** The frames of a request that its caller has not been shown yet. */
export class FrameFeed {
  readonly #frames: readonly LifecycleFrame[];
  readonly #rendering: Rendering;
  #shown = 0;

  constructor(frames: readonly LifecycleFrame[], rendering: Rendering) {
    this.#frames = frames;
    this.#rendering = rendering;
  }

  /** Their text; each is given once. */
  take(begun: boolean): string {
    const fresh = this.#frames.slice(this.#shown);
    this.#shown = this.#frames.length;
    return fresh.map((frame) => this.#rendering.frame(frame, begun)).join("");
  }
}
