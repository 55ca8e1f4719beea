/**
 * A ledger that was restored to an earlier time, made whole again: freeze, replay, continue (db/entry-source.ts has the entries, and
 * workers/queue/restore.ts the procedure). While it is frozen a ledger appends nothing, so its chain stays a prefix of the one D1 has.
 */
import type { Entry, Freeze, FreezeCommand, ReplayResult } from "../../schema/ledger.ts";
import { decideReplay, type ReplayWrites } from "../ledger/replay.ts";
import type { HashText } from "../ledger/state.ts";
import type { LedgerMemory } from "./ledger-memory.ts";
import type { LedgerRows, LedgerStorage } from "./ledger-rows.ts";

/** Thrown by what would append to a frozen ledger; its callers repeat it until the ledger continues. */
export class LedgerFrozen extends Error {
  constructor() {
    super("the ledger is frozen while it is being restored; the call is to be repeated later");
  }
}

interface OpenedLedger {
  storage: LedgerStorage;
  rows: LedgerRows;
  memory: LedgerMemory;
  hash: HashText;
}

/**
 * Freezes a ledger. One that is frozen stays so for its first reason, and until D1's highest known seq is reached. Gives the freeze that is
 * in force; null where an operator has let the ledger go on without these very entries.
 */
export function freezeLedger({ storage, rows, memory }: OpenedLedger, command: FreezeCommand, now: number): Freeze | null {
  const { frozen } = memory;
  if (frozen === null && command.reason !== "operator" && command.d1_seq <= memory.partedSeq) return null;
  if (frozen !== null && frozen.d1_seq >= command.d1_seq) return frozen;
  const freeze: Freeze = frozen === null ? { ...command, at: now } : { ...frozen, d1_seq: command.d1_seq };
  storage.transactionSync(() => {
    rows.writeFreeze(freeze);
    if (frozen === null) rows.insertIncident({ kind: "frozen", requestId: null, detail: `${freeze.reason}: D1 has ${freeze.d1_seq}` }, now);
  });
  memory.frozen = freeze;
  return freeze;
}

/** Lets a ledger continue. False: it still lacks entries that D1 has, and it was not told to go on without them. */
export function thawLedger({ storage, rows, memory }: OpenedLedger, force: boolean): boolean {
  const { frozen } = memory;
  if (frozen === null) return true;
  const isWhole = frozen.reason !== "diverged" && memory.account.seq >= frozen.d1_seq;
  if (!isWhole && !force) return false;
  const partedSeq = isWhole ? memory.partedSeq : Math.max(memory.partedSeq, frozen.d1_seq);
  storage.transactionSync(() => {
    rows.clearFreeze();
    if (partedSeq !== memory.partedSeq) rows.writeParted(partedSeq);
  });
  memory.frozen = null;
  memory.partedSeq = partedSeq;
  return true;
}

/** Puts entries back, in order, each in a transaction of its own; stops at the first that does not follow. Only while frozen. */
export function replayEntries(ledger: OpenedLedger, entries: readonly Entry[]): ReplayResult {
  const { rows, memory, hash } = ledger;
  let applied = 0;
  for (const entry of entries) {
    const known = entry.seq <= memory.account.seq ? (rows.entriesBySeq([entry.seq])[0] ?? null) : null;
    const hold = entry.request_id === null ? null : (memory.openHolds.get(entry.request_id) ?? rows.hold(entry.request_id));
    const decision = decideReplay({ account: memory.account, known, hold }, entry, hash);
    if (!decision.ok) return { applied, seq: memory.account.seq, fault: { seq: decision.seq, reason: decision.reason } };
    if (decision.writes === null) continue;
    replayOne(ledger, decision.writes);
    applied += 1;
  }
  return { applied, seq: memory.account.seq, fault: null };
}

function replayOne({ storage, rows, memory }: OpenedLedger, { entry, account, hold, spend }: ReplayWrites): void {
  const spends = spend === null ? new Map() : memory.spendsAfter(spend.keyId, spend.charge, entry.at);
  storage.transactionSync(() => {
    if (hold !== null) {
      if (hold.before === null) rows.insertHold(hold.after);
      rows.endHold(hold.before ?? { ...hold.after, state: "HELD" }, hold.after);
      if (hold.before !== null && hold.before.keyId !== hold.after.keyId) rows.nameHold(hold.after);
    }
    rows.insertEntry(entry);
    memory.limits.rows.writeSpends(spends);
    if (hold?.before !== undefined && hold.before !== null) memory.limits.writeEnded(hold.before, new Map());
  });
  if (hold === null) memory.account = account;
  else memory.ended(hold.before ?? hold.after, account);
  memory.counted({ spends }, entry.at);
}
