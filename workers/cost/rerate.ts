/** Past requests at other prices, on paper: what each would have cost, summed by account, model and day. Nothing is booked from it. */
import type { PriceDocument, PriceSnapshot } from "../../schema/price.ts";
import type { Usage } from "../../schema/usage.ts";
import { costOf } from "./cost.ts";
import { priceSnapshot } from "./price.ts";

/** What of a usage row its price depends on. */
export interface RatedRow extends Usage {
  account_id: string;
  model: string;
  day: string;
  /** Null: the request was released, and nothing of it was priced. */
  cost_micro_rub: number | null;
}

/** Amounts in micro-RUB. `unpriced`: requests the new document has no price for, which are in no other sum. */
export interface ReratedGroup {
  account_id: string;
  model: string;
  day: string;
  requests: number;
  old_cost: bigint;
  new_cost: bigint;
  unpriced_requests: number;
  unpriced_old_cost: bigint;
}

export interface Rerating {
  add: (row: RatedRow) => void;
  /** By account, model and day. */
  groups: () => ReratedGroup[];
}

export function rerating(document: PriceDocument): Rerating {
  const snapshots = new Map<string, PriceSnapshot | null>();
  const groups = new Map<string, ReratedGroup>();
  const snapshotOf = (model: string): PriceSnapshot | null => {
    const known = snapshots.get(model);
    if (known !== undefined) return known;
    const snapshot = priceSnapshot(document, model);
    snapshots.set(model, snapshot);
    return snapshot;
  };
  return {
    add: (row) => {
      if (row.cost_micro_rub === null) return;
      const { account_id, model, day } = row;
      const key = [account_id, model, day].join("\n");
      const group = groups.get(key) ?? { account_id, model, day, ...NOTHING };
      groups.set(key, added(group, row, snapshotOf(model)));
    },
    groups: () => [...groups].toSorted(([left], [right]) => (left < right ? -1 : 1)).map(([, group]) => group),
  };
}

const NOTHING = { requests: 0, old_cost: 0n, new_cost: 0n, unpriced_requests: 0, unpriced_old_cost: 0n };

function added(group: ReratedGroup, row: RatedRow, snapshot: PriceSnapshot | null): ReratedGroup {
  const old = BigInt(row.cost_micro_rub ?? 0);
  if (snapshot === null) {
    return { ...group, unpriced_requests: group.unpriced_requests + 1, unpriced_old_cost: group.unpriced_old_cost + old };
  }
  const now = costOf(snapshot, row).costMicroRub;
  return { ...group, requests: group.requests + 1, old_cost: group.old_cost + old, new_cost: group.new_cost + now };
}
