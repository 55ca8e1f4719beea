/** Every query a page makes walks an index, so that a million rows cost a page nothing. The queries are those the pages make, taken down as they make them. */
import { createExecutionContext, env, waitOnExecutionContext } from "cloudflare:test";
import { exports } from "cloudflare:workers";
import { expect, test } from "vitest";
import { createDashboard, routeList } from "../../../workers/dashboard/index.ts";
import { send } from "../gateway.ts";
import { newOperator, ORIGIN } from "./browser.ts";

/** Tables that stay small, whatever is used: one row an installation, a version or a person's session. A subquery has a line of its own. */
const SMALL = /^(SCAN|SEARCH) (operator|document|json_each|CONSTANT)\b|^SCAN \(subquery-\d+\)|CONSTANT ROW/;

/** The tables that a query reads from one end to the other. */
async function scansOf(sql: string): Promise<string[]> {
  const marks = new Set(sql.match(/\?\d+/g) ?? []).size || (sql.match(/\?/g) ?? []).length;
  const { results } = await env.DB.prepare(`EXPLAIN QUERY PLAN ${sql}`)
    .bind(...Array.from({ length: marks }, () => "1"))
    .all<{ detail: string }>();
  const details = results.map((row) => row.detail);
  return details
    .filter((detail) => detail.startsWith("SCAN ") && !/USING (COVERING )?INDEX/.test(detail) && !SMALL.test(detail))
    .map((detail) => `${detail}: ${sql}`);
}

test("no page scans a table", async () => {
  const owner = await newOperator();
  const key = String((await send(`/admin/accounts/${owner.accountId}/keys`, { body: { name: "k" } })).json?.["key"]);
  const seen = new Set<string>();
  const database = new Proxy(env.DB, {
    get: (target, name) => {
      if (name === "prepare")
        return (sql: string) => {
          seen.add(sql);
          return target.prepare(sql);
        };
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const watched = new Proxy(env, { get: (target, name) => (name === "DB" ? database : Reflect.get(target, name)) });
  const dashboard = createDashboard({
    asAccount: (request) => exports.default.fetch(new Request(request, { headers: { authorization: `Bearer ${key}` } })),
    asCaller: (request) => exports.default.fetch(request),
  });
  const cookie = [...owner.browser.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  for (const { path } of routeList().filter((route) => route.method === "GET")) {
    const address = path.replace(":organisation", owner.organisation).replaceAll(/:\w+/g, "none");
    const context = createExecutionContext();
    const answer = await dashboard.answer(new Request(`${ORIGIN}${address}`, { headers: { cookie } }), watched, context);
    await answer.body?.cancel();
    await waitOnExecutionContext(context);
    expect(answer.status, address).toBeLessThan(500);
  }
  const selects = [...seen].filter((sql) => /^\s*(SELECT|WITH)/i.test(sql));
  for (const table of [
    "usage ",
    "usage_day",
    "dead_letter",
    "audit_event",
    "payment_order",
    "membership",
    "invitation",
    "project_key",
    "webhook_endpoint",
  ])
    expect(
      selects.some((sql) => sql.includes(`FROM ${table}`)),
      table,
    ).toBe(true);
  const scans: string[] = [];
  for (const sql of selects) scans.push(...(await scansOf(sql)));
  expect(scans).toEqual([]);
});

test("a query without an index would be seen", async () => {
  expect(await scansOf("SELECT * FROM usage WHERE model = ?1")).toHaveLength(1);
});
