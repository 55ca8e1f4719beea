/** Which rates of the configuration count a call: all whose model and header fit, each with the name of the count it shares. */
import { globMatches } from "../../schema/glob.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { AppliedRate, ConfigRate } from "../../schema/rate.ts";

/** `slug` is the model's; `headerOf` gives a header's value by its name, null where it was not sent. */
export function appliedRates(rates: readonly ConfigRate[], slug: string, headerOf: (name: string) => string | null): AppliedRate[] {
  return rates.flatMap(({ model, selector, limit }) => {
    const value = selector === undefined ? null : headerOf(selector.key);
    const isSelected = selector === undefined || (value !== null && (selector.value === "*" || selector.value === value));
    if (!isSelected || !globMatches(model, slug)) return [];
    const whose =
      selector === undefined ? "" : ` with ${selector.key.toLowerCase()}: ${(value ?? "").slice(0, LIMITS.rateSelectorCharacters)}`;
    return [{ name: model + whose, unit: limit.unit, requests: limit.requests ?? null, tokens: limit.tokens ?? null }];
  });
}
