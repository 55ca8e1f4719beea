/** `POST /admin/archive` as an operator calls it. What archiving itself does is in test/queue/archive.test.ts. */
import { expect, test } from "vitest";
import { expectError } from "./expect-error.ts";
import { newAccount, send } from "./gateway.ts";

test("a month that is not over cannot be archived, and the answer says which can", async () => {
  const refused = await send("/admin/archive", { body: { before_month: "2999-01" } });
  expectError(refused, 400, "invalid_request", "before_month");
  const latest = /at most (\d{4}-\d{2})/.exec(refused.text)?.[1];
  expect((await send("/admin/archive", { body: { before_month: latest } })).json).toEqual({ before_month: latest, accounts: [] });
});

test("without a month, every month that may be is taken, of one account or of all", async () => {
  const { id } = await newAccount(1000);
  const moved = await send("/admin/archive", { body: { account_id: id } });
  expect(moved.json).toMatchObject({ accounts: [{ account_id: id, parts: 0, entries: 0, months: [], stopped: null }] });
  expect((await send("/admin/archive", { body: {} })).json).toMatchObject({ accounts: [] });
});

test("the archive is read back on demand", async () => {
  const { id } = await newAccount(0);
  for (const body of [{ verify: true }, { verify: true, account_id: id }])
    expect((await send("/admin/archive", { body })).json).toEqual({ parts: 0, entries: 0, faults: [] });
});

test.each([
  ["an account nobody made", { account_id: "acc_0000000000000000" }, 404, "not_found", "account_id"],
  ["a month that is none", { before_month: "2026-13" }, 400, "invalid_request", "before_month"],
  ["a field nobody knows", { month: "2026-01" }, 400, "invalid_request", undefined],
] as const)("%s is refused", async (_what, body, status, code, param) => {
  expectError(await send("/admin/archive", { body }), status, code, param);
});
