/** How the addresses of providers do, in words and colours. */
import type { AddressView, Health } from "../../../schema/routing.ts";
import type { View } from "./view.ts";
import { bilingual } from "./words.ts";

export const healthWords = bilingual({
  en: { ok: "well", degraded: "shaky", down: "down", unknown: "not seen" } satisfies Record<Health, string>,
  ru: { ok: "работает", degraded: "сбоит", down: "не отвечает", unknown: "не видели" },
});

const KINDS: Readonly<Record<Health, string>> = { ok: "good", degraded: "warn", down: "bad", unknown: "" };
const WORST_FIRST: readonly Health[] = ["down", "degraded", "ok", "unknown"];

export function HealthBadge({ view, health }: { view: View; health: Health }) {
  return <span class={`badge ${KINDS[health]}`}>{healthWords(view.locale)[health]}</span>;
}

/** The worst that is known of a provider's addresses; null where none was asked lately. */
export function healthOfProvider(addresses: readonly AddressView[], provider: string): Health | null {
  const seen = new Set(addresses.filter((address) => address.provider === provider).map(({ health }) => health));
  return WORST_FIRST.find((health) => seen.has(health)) ?? null;
}
