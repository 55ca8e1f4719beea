/** Keys as a person makes and takes them back, and that the gateway knows at once. */
import { describe, expect, test } from "vitest";
import { send } from "../gateway.ts";
import { type Insider, newOwner } from "./browser.ts";

async function makeKey(owner: Insider, fields: Record<string, string> = {}): Promise<{ key: string; status: number; html: string }> {
  const path = `/app/${owner.organisation}/keys`;
  const page = await owner.browser.get(path);
  const project = /<option value="(prj_\w+)"/.exec(page.html)?.[1] ?? "";
  const seen = await owner.browser.post(path, { name: "program", project_id: project, ...fields });
  return { key: /ply_live_\w+/.exec(seen.html)?.[0] ?? "", status: seen.status, html: seen.html };
}

describe("a key made on its page", () => {
  test("works, is shown once, and is refused the moment it is revoked", async () => {
    const owner = await newOwner();
    const { key, status } = await makeKey(owner);
    expect(status).toBe(200);
    expect((await send("/v1/balance", { key })).json).toMatchObject({ account_id: owner.accountId });
    const path = `/app/${owner.organisation}/keys`;
    const list = await owner.browser.get(path);
    expect(list.html).not.toContain(key);
    expect(list.html).toContain(`…${key.slice(-4)}`);
    const id = /name="key_id" value="(key_\w+)"/.exec(list.html)?.[1] ?? "";
    const revoked = await owner.browser.post(`${path}/revoke`, { key_id: id });
    expect(revoked.location).toBe(`${path}?done=revoked`);
    expect((await send("/v1/balance", { key })).status).toBe(401);
  });

  test("has the limits that were typed, in exact micro-roubles", async () => {
    const owner = await newOwner();
    const { html } = await makeKey(owner, { per_day: "1 234,56", per_month: "0.000001", requests_per_minute: "60", models: "a/*, b/c" });
    expect(html).toContain("₽1,234.56");
    const keys = (await send(`/admin/accounts/${owner.accountId}`)).json?.["keys"];
    expect(keys).toMatchObject([
      {
        limits: {
          spend_micro_rub_per_day: 1_234_560_000,
          spend_micro_rub_per_month: 1,
          requests_per_minute: 60,
          allowed_models: ["a/*", "b/c"],
        },
      },
    ]);
  });

  test("is not made from what is no amount, and the form keeps what was typed", async () => {
    const owner = await newOwner();
    const { status, html, key } = await makeKey(owner, { per_day: "1.2345678", name: "kept name" });
    expect(status).toBe(422);
    expect(key).toBe("");
    expect(html).toContain("kept name");
    expect(html).toContain("Spend per day");
  });

  test("belongs to no project of another organisation", async () => {
    const [owner, stranger] = [await newOwner(), await newOwner("Stranger")];
    const foreign = /<option value="(prj_\w+)"/.exec((await stranger.browser.get(`/app/${stranger.organisation}/keys`)).html)?.[1] ?? "";
    expect((await makeKey(owner, { project_id: foreign })).status).toBe(422);
    expect((await send(`/admin/accounts/${owner.accountId}`)).json?.["keys"]).toEqual([]);
  });
});
