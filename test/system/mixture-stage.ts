/** What tests of mixtures share: a request at rest, and the books of its providers. */
import { expect } from "vitest";
import {
  faultsOf,
  invoices,
  type Line,
  type MixtureView,
  mixtureViewSchema,
  type PriceList,
  priceListSchema,
} from "../../scripts/chaos/mixture-books.ts";
import type { Account, Stage, UsageRow } from "./shared-system.ts";

export async function invoiceOf(stage: Stage, requestId: string): Promise<Line[]> {
  return (await invoices(stage.system.offlineUrl ?? "")).filter((line) => line.request_id === requestId);
}

export async function priceList(stage: Stage): Promise<PriceList> {
  return priceListSchema.parse(await stage.admin("/prices", { method: "GET" }));
}

/** The request at rest: its view and its one usage row, whose cost is that of its calls, whose hold has ended and whose money is gone. */
export async function settledMixture(account: Account, id: string, prices: PriceList): Promise<{ view: MixtureView; row: UsageRow }> {
  await account.atRest();
  const view = mixtureViewSchema.parse(await account.request(id));
  expect(faultsOf(view, prices)).toEqual([]);
  const rows = (await account.usage()).filter((row) => row.request_id === id);
  expect(rows).toHaveLength(1);
  const [row] = rows;
  if (row === undefined) throw new Error("no row");
  expect(row.cost_micro_rub ?? 0).toBe(view.cost_micro_rub ?? 0);
  return { view, row };
}
