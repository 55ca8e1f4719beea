/** Changing the limits of an account and of its keys. A change is in force for the next admission; what is held stays held. */
import type { ChangeKeyCommand, KeyRow } from "../../schema/key.ts";
import { type AccountLimitsPatch, type AccountLimitsView, patched } from "../../schema/rate.ts";
import { countsSpend, monthStart, spendAt, spendOf } from "../ledger/key-limits.ts";
import type { Spend } from "../ledger/state.ts";
import { ACCOUNT_SPEND } from "./ledger-limits.ts";
import type { LedgerMemory } from "./ledger-memory.ts";
import type { LedgerStorage } from "./ledger-rows.ts";
import type { Charge } from "./limit-rows.ts";

export interface SettingsWiring {
  storage: LedgerStorage;
  memory: LedgerMemory;
  now: () => number;
}

export class LimitSettings {
  readonly #wiring: SettingsWiring;

  constructor(wiring: SettingsWiring) {
    this.#wiring = wiring;
  }

  account(): AccountLimitsView {
    const { memory, now } = this.#wiring;
    const { limits, spend } = memory.limits.owner;
    const counted = countsSpend(limits) ? spendAt(spend, now()) : null;
    return {
      limits,
      spent_today_micro_rub: counted?.dayAmount.toString() ?? null,
      spent_month_micro_rub: counted?.monthAmount.toString() ?? null,
    };
  }

  /** The globs of the account, and of the key with this hash, where they limit the models that may be used. */
  allowedModels(keyHash: string): string[][] {
    const { memory } = this.#wiring;
    return [memory.limits.owner.limits.allowed_models, memory.keys.ofHash(keyHash)?.limits.allowed_models].flatMap((globs) =>
      globs === null || globs === undefined ? [] : [globs],
    );
  }

  changeAccount(patch: AccountLimitsPatch): AccountLimitsView {
    const { storage, memory } = this.#wiring;
    const { owner } = memory.limits;
    const limits = patched(owner.limits, patch);
    const spend = countsSpend(limits) ? this.#spendOf(() => true) : owner.spend;
    storage.transactionSync(() => {
      memory.limits.rows.writeLimits(limits);
      if (countsSpend(limits)) memory.limits.rows.writeSpends(new Map([[ACCOUNT_SPEND, spend]]));
    });
    owner.limits = limits;
    owner.spend = spend;
    return this.account();
  }

  /** Null: no such key. A key that was revoked can be changed and stays revoked. */
  changeKey(command: ChangeKeyCommand): KeyRow | null {
    const { storage, memory, now } = this.#wiring;
    const key = memory.keys.ofId(command.key_id);
    if (key === null) return null;
    const limits = patched(key.limits, command.limits ?? {});
    const name = command.name ?? key.name;
    const spend = countsSpend(limits) ? this.#spendOf((charge) => charge.keyId === key.keyId) : key.spend;
    storage.transactionSync(() => {
      memory.limits.rows.changeKey({ keyId: key.keyId, name, limits });
      if (countsSpend(limits)) memory.limits.rows.writeSpends(new Map([[key.keyId, spend]]));
    });
    Object.assign(key, { name, limits, spend, expiresAt: limits.expires_at === null ? null : Date.parse(limits.expires_at) });
    return memory.keys.list(now()).find((row) => row.key_id === key.keyId) ?? null;
  }

  /** This month's charges, counted from the rows: a limit that is set late knows what was spent before. */
  #spendOf(counts: (charge: Charge) => boolean): Spend {
    const { memory, now } = this.#wiring;
    const at = now();
    const charges: Charge[] = [];
    for (const charge of memory.limits.rows.charges()) {
      if (charge.at < monthStart(at)) break;
      if (counts(charge)) charges.push(charge);
    }
    return spendOf(charges, at);
  }
}
