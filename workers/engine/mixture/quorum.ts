/** When a round of proposers is over. Pure. */

/** Proposals that are enough of `proposers`, where nobody said: two thirds, rounded up. */
export function defaultQuorum(proposers: number): number {
  return Math.ceil((2 * proposers) / 3);
}

export interface Round {
  quorum: number;
  running: number;
  /** Proposals that can be used. */
  proposed: number;
  /** Whether a spare stands by that was not asked yet. */
  spare: boolean;
}

/**
 * `hedge`: the quorum cannot be reached by those under way, and with the spare it can. Where it cannot be reached at all, whoever still
 * runs is waited for: one proposal is better than none.
 */
export function roundStep({ quorum, running, proposed, spare }: Round): "wait" | "hedge" | "over" {
  if (proposed >= quorum) return "over";
  if (proposed + running >= quorum) return "wait";
  if (spare && proposed + running + 1 >= quorum) return "hedge";
  return running > 0 ? "wait" : "over";
}
