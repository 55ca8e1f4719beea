/**
 * Putting entries back into a ledger that was restored to an earlier time: each must be the next link of its chain, word for word, and
 * moves the account, the hold it ended and the key's spend as it did when it was first written.
 */
import { parseWith } from "../../schema/json.ts";
import type { Entry, HoldState } from "../../schema/ledger.ts";
import { z } from "zod";
import { checkChain } from "./entry.ts";
import type { AccountState, Appended, HashText, HoldRow } from "./state.ts";

export type ReplayDecision =
  | { ok: true; writes: ReplayWrites }
  /** The ledger has this very entry already. */
  | { ok: true; writes: null }
  | { ok: false; seq: number; reason: string };

export interface ReplayWrites extends Appended {
  /** The hold the entry ended: as the ledger has it (null when it was admitted after the time it was restored to), and as it becomes. */
  hold: { before: HoldRow | null; after: HoldRow } | null;
  /** What the entry moves the spend of its request's key by: a charge, or a correction of one; null where it moves none. */
  spend: { keyId: string; charge: bigint } | null;
}

const ENDED_AS: Partial<Record<Entry["kind"], HoldState>> = {
  settle: "SETTLED",
  late_settle: "SETTLED_LATE",
  release: "RELEASED",
  expire: "EXPIRED",
};

/** What a request's record says of its hold; each fact may be missing, since records are of many versions. */
const holdFactsSchema = z.looseObject({
  key_id: z.string().catch(""),
  model: z.string().catch(""),
  lane: z.string().catch(""),
  snapshot: z.unknown(),
});

/**
 * The hold of a request that this ledger never saw admitted: what its record says, and nothing held. The entry of an expiry has no record;
 * then the late settlement's tells it.
 */
function forgottenHold(entry: Entry, requestId: string, state: HoldState): HoldRow {
  const record = parseWith(holdFactsSchema, entry.record ?? "{}");
  const facts = record.ok ? record.value : { key_id: "", model: "", lane: "", snapshot: undefined };
  return {
    requestId,
    keyId: facts.key_id,
    state,
    amount: 0n,
    bodyHash: null,
    model: facts.model,
    lane: facts.lane,
    snapshot: JSON.stringify(facts.snapshot ?? {}),
    rates: [],
    tokensBound: 0,
    createdAt: entry.at,
    expiresAt: entry.at,
    seq: entry.seq,
  };
}

/**
 * Decides about one entry. `known` is the ledger's own entry of that number, `hold` the hold of the entry's request; null where there is
 * none. Held is what is held now: the entry's own figure is of a time when other requests were open.
 */
export function decideReplay(
  view: { account: AccountState; known: Entry | null; hold: HoldRow | null },
  entry: Entry,
  hash: HashText,
): ReplayDecision {
  const { account, known, hold } = view;
  if (known !== null) {
    return known.hash === entry.hash
      ? { ok: true, writes: null }
      : { ok: false, seq: entry.seq, reason: "the ledger has another entry here" };
  }
  const link = checkChain([entry], { seq: account.seq, hash: account.headHash, balance: account.balance }, hash);
  if (!link.ok) return link;
  const state = ENDED_AS[entry.kind];
  const ended = entry.request_id === null || state === undefined ? null : { requestId: entry.request_id, state };
  const before = ended === null ? null : hold;
  const after =
    ended === null
      ? null
      : before === null || before.keyId === ""
        ? forgottenHold(entry, ended.requestId, ended.state)
        : { ...before, state: ended.state, seq: entry.seq };
  const spender = entry.kind === "true_up" ? hold : after;
  const unheld = before?.state === "HELD" ? before.amount : 0n;
  const next: AccountState = {
    balance: BigInt(entry.balance_after_micro_rub),
    held: account.held - unheld,
    seq: entry.seq,
    headHash: entry.hash,
  };
  return {
    ok: true,
    writes: {
      entry,
      account: next,
      hold: after === null ? null : { before, after },
      spend: spender === null ? null : { keyId: spender.keyId, charge: -BigInt(entry.amount_micro_rub) },
    },
  };
}
