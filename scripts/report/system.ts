/** The facts of a report from a running system, over its own API. */
import { parseWith } from "../../schema/json.ts";
import { type AccountFacts, type RatesInForce, reportFactsSchema } from "../../schema/report.ts";

export async function factsOfSystem(
  url: string,
  adminKey: string,
  asOf: number | null,
): Promise<{ rates: RatesInForce; accounts: AccountFacts[] }> {
  const accounts: AccountFacts[] = [];
  let cursor = "";
  for (;;) {
    const query = new URLSearchParams({ cursor, ...(asOf === null ? {} : { as_of: String(asOf) }) });
    const response = await fetch(`${url.replace(/\/$/, "")}/admin/report/facts?${query}`, {
      headers: { authorization: `Bearer ${adminKey}` },
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${url} answers ${response.status}: ${text.slice(0, 500)}`);
    const page = parseWith(reportFactsSchema, text);
    if (!page.ok) throw new Error(`${url} answers what no report is made from: ${page.message} at ${page.path ?? "the root"}`);
    accounts.push(...page.value.accounts);
    if (page.value.next_cursor === null) return { rates: page.value.rates, accounts };
    cursor = page.value.next_cursor;
  }
}
