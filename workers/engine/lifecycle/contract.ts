/** What every way of telling a request's life is given, and gives (rendering.ts). */
import type { Plan } from "../../../schema/plan.ts";
import type { LifecycleFrame } from "../../../schema/request.ts";
import type { Usage } from "../../../schema/usage.ts";
import type { Protocol } from "../../protocol/protocol.ts";

/** What one call of the request used. */
export interface CallUsage {
  provider: string;
  model: string;
  usage: Usage;
}

export interface RunFacts {
  requestId: string;
  plan: Plan;
  /** Asked when the answer ends. */
  calls: () => CallUsage[];
}

export interface Rendering {
  /** What the caller is answered in: its own protocol, or one that writes answer and frames together. */
  caller: Protocol;
  /** Nothing is shown. */
  silent: boolean;
  /** The caller's protocol is not its own: the answer is always written anew, and the frames belong to it. */
  replaces: boolean;
  /** One frame as text. `begun`: the answer's own first event is out. Empty: it is not shown. */
  frame: (frame: LifecycleFrame, begun: boolean) => string;
  headers: Record<string, string>;
}
