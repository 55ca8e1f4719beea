/**
 * A stream within its hold. When the answer has certainly cost more than was held, the hold grows by half, or by what the account and its
 * limits still have; when they have nothing more, the answer is cut. So nothing beyond held and available is ever spent on it, whatever
 * the provider does with the cap it was given.
 */
import { gatewayError, type GatewayError } from "../../schema/error.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { Usage } from "../../schema/usage.ts";
import { cutUsage, hasPassed, type Reach, reachOf, type RunningAnswer, runningCost } from "../cost/running-cost.ts";
import type { Meter } from "../protocol/relay-contract.ts";
import type { Cut } from "../protocol/relay-cut.ts";
import type { OwnerPorts } from "./ports.ts";
import type { Run } from "./run.ts";

export interface StreamBudget {
  /** Asked after each piece. Null: it goes on. Else, once the ledger was asked: null when it goes on, the reason when it is cut. */
  afford: () => Promise<GatewayError | null> | null;
  /** How the answer ends when it is cut; null while it is not. */
  cut: () => Cut | null;
}

export function createStreamBudget(run: Run, meter: Readonly<Meter>, ports: OwnerPorts): StreamBudget {
  const { live, snapshot, envelope } = run;
  let held = BigInt(envelope.hold_micro_rub);
  let reported: Usage | null = null;
  let reach: Reach | null = null;
  let ending: Cut | null = null;

  const answer = (): RunningAnswer => ({
    reported: meter.usage,
    inputMeasure: live.facts.measure,
    outputCharacters: meter.outputCharacters,
  });
  const reachNow = (): Reach => {
    // Asked after every piece; a usage is replaced when there is a newer one, never changed.
    if (reach === null || meter.usage !== reported) reach = reachOf(snapshot, answer(), held);
    reported = meter.usage;
    return reach;
  };
  const cutFor = (error: GatewayError): GatewayError => {
    const usage = cutUsage(answer(), reachNow());
    live.cut = usage;
    ending = { usage, notice: `plyrum cut this answer: ${error.message}` };
    return error;
  };
  const extend = async (): Promise<GatewayError | null> => {
    const least = runningCost(snapshot, answer(), 1);
    const wish = runningCost(snapshot, answer(), 1) + held / 2n;
    const grown = await growHold(run, { least, wish }, ports);
    if (!grown.ok) return cutFor(grown.error);
    held = grown.value;
    reach = null;
    return hasPassed(answer(), reachNow()) ? cutFor(OUT_OF_BALANCE) : null;
  };
  return {
    afford() {
      // A whole answer has cost what it cost; the ledger caps what is charged for it.
      if (meter.ended || (meter.usageFinal && meter.finish !== null)) return null;
      return hasPassed(answer(), reachNow()) ? extend() : null;
    },
    cut: () => ending,
  };
}

const OUT_OF_BALANCE = gatewayError("insufficient_balance", "The balance ran out before the answer was complete.", {
  suggestion: "Top the balance up, and ask for a shorter answer or continue this one.",
});

const OVER_LIMIT = gatewayError("rate_limited", "A spend limit of the key or of the account was reached before the answer was complete.", {
  suggestion: "Have the limit raised, or wait for the next day or month (UTC).",
});

/** The hold as it is now, in micro-RUB; the reason where it could not grow. Asked again once when the ledger does not answer. */
async function growHold(
  run: Run,
  { least, wish }: { least: bigint; wish: bigint },
  ports: OwnerPorts,
): Promise<{ ok: true; value: bigint } | { ok: false; error: GatewayError }> {
  const command = {
    request_id: run.live.id,
    hold_micro_rub: wish.toString(),
    least_micro_rub: least.toString(),
    ttl_ms: LIMITS.holdTtlMilliseconds,
  };
  for (let failures = 0; failures < 2; failures++) {
    const result = await ports.ledger.extend(command).catch(() => null);
    if (result === null) continue;
    if (result.state === "extended") return { ok: true, value: BigInt(result.hold_micro_rub) };
    return { ok: false, error: result.state === "over_limit" ? OVER_LIMIT : OUT_OF_BALANCE };
  }
  return { ok: false, error: gatewayError("overloaded", "The account's ledger did not answer while more had to be held for this answer.") };
}
