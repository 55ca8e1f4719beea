/** The hold of an ensemble, as the budget of the one call that streams sees it: what the other calls have not used. */
import type { OwnerPorts } from "../ports.ts";
import type { Run } from "../run.ts";
import { settleLegs } from "./settle-legs.ts";
import { type LiveLeg, progressOfLeg } from "./legs.ts";

/** A run and ports in which amounts are those of this call: the ledger's own are larger by what the others cost so far. */
export function budgetInputs(run: Run, leg: LiveLeg, ports: OwnerPorts): { budgetRun: Run; budgetPorts: OwnerPorts } {
  const { live, envelope } = run;
  const others = (live.legs ?? []).filter((other) => other !== leg);
  const bySnapshot = new Map(others.map((other) => [other.index, other.snapshot]));
  const settled = settleLegs(others.map(progressOfLeg), live.facts, (index) => bySnapshot.get(index) ?? leg.snapshot);
  const spent = BigInt(settled.charge?.cost_micro_rub ?? "0");
  const held = BigInt(envelope.hold_micro_rub);
  const measure = { ...live.facts.measure, text_bytes: live.facts.measure.text_bytes + leg.addedBytes };
  const budgetLive = {
    ...live,
    facts: { ...live.facts, measure },
    get cut() {
      return leg.cut;
    },
    set cut(usage) {
      leg.cut = usage;
    },
  };
  const more = (amount: string): string => (BigInt(amount) + spent).toString();
  return {
    budgetRun: {
      ...run,
      live: budgetLive,
      snapshot: leg.snapshot,
      envelope: { ...envelope, hold_micro_rub: (held > spent ? held - spent : 0n).toString() },
    },
    budgetPorts: {
      ...ports,
      ledger: {
        ...ports.ledger,
        extend: async (command) => {
          const { least_micro_rub: least } = command;
          const grown = await ports.ledger.extend({
            ...command,
            hold_micro_rub: more(command.hold_micro_rub),
            ...(least === undefined ? {} : { least_micro_rub: more(least) }),
          });
          return { ...grown, hold_micro_rub: (BigInt(grown.hold_micro_rub) - spent).toString() };
        },
      },
    },
  };
}
