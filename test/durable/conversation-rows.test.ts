/** An account's kept answers in real storage: found by their ids and by their items', for so long and up to so much. */
import { runInDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import type { KeptResponse } from "../../schema/conversation.ts";
import { LIMITS } from "../../schema/limits.ts";
import { ConversationRows } from "../../workers/durable/conversation-rows.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

let objects = 0;
function conversationStub(): ReturnType<Env["CONVERSATION"]["get"]> {
  return env.CONVERSATION.get(env.CONVERSATION.idFromName(`test-${objects++}`));
}

async function withRows(run: (rows: (now?: () => number) => ConversationRows) => void): Promise<void> {
  await runInDurableObject(conversationStub(), (_instance, { storage }) => run((now = Date.now) => new ConversationRows(storage.sql, now)));
}

function answer(id: string, facts: Partial<KeptResponse> & { says?: string; asked?: string } = {}): KeptResponse {
  const { says = `answer ${id}`, asked = `question ${id}`, ...rest } = facts;
  return {
    id,
    request_id: `req_${id}`,
    previous: null,
    status: "completed",
    background: false,
    provider: "alpha",
    input: encoder.encode(JSON.stringify([{ id: `in_${id}`, type: "message", role: "user", content: asked }])),
    body: encoder.encode(JSON.stringify({ id, output: [{ id: `out_${id}`, type: "message", role: "assistant", content: says }] })),
    ...rest,
  };
}

function idsOf(found: ReturnType<ConversationRows["resolve"]>): unknown {
  if (found.found !== "all") return found;
  const { history, items, brought } = found;
  return {
    history: history.map(({ id }) => id),
    items: items.map(({ id, provider }) => [id, provider]),
    brought: brought.map((item) => item?.id ?? null),
  };
}

describe("a kept answer", () => {
  test("is gone on from with all turns before it, in order, each item as it was", async () => {
    await withRows((open) => {
      const rows = open();
      rows.keep(answer("a"));
      rows.keep(answer("b", { previous: "a", provider: "" }));
      rows.keep(answer("c", { previous: "b" }));
      expect(idsOf(rows.resolve({ previous: "c", items: ["out_a", "in_b"], brought: ["out_b", "out_x"] }))).toEqual({
        history: ["in_a", "out_a", "in_b", "out_b", "in_c", "out_c"],
        items: [
          ["out_a", "alpha"],
          ["in_b", ""],
        ],
        brought: ["out_b", null],
      });
      expect(rows.inputOf("b")?.map(({ id }) => id)).toEqual(["in_a", "out_a", "in_b"]);
      expect(rows.resolve({ previous: "d", items: [], brought: [] })).toEqual({ found: "part", missing: "d" });
      expect(rows.resolve({ previous: "c", items: ["out_x"], brought: [] })).toEqual({ found: "part", missing: "out_x" });
      expect(rows.remove("a")).toBe(true);
      expect(rows.remove("a")).toBe(false);
      expect(rows.resolve({ previous: "c", items: [], brought: [] })).toEqual({ found: "part", missing: "a" });
      expect(rows.resolve({ previous: null, items: ["out_a"], brought: [] })).toEqual({ found: "part", missing: "out_a" });
    });
  });

  test("larger than a row comes back whole", async () => {
    await withRows((open) => {
      const rows = open();
      const says = "я".repeat(LIMITS.conversationPartBytes + 11);
      rows.keep(answer("a", { says }));
      expect(decoder.decode(rows.find("a")?.body)).toContain(says);
    });
  });

  test("keeps the id of the provider that gave an item, also where a caller sends it along to another", async () => {
    await withRows((open) => {
      const rows = open();
      rows.keep(answer("a", { provider: "alpha" }));
      const input = encoder.encode(JSON.stringify([{ id: "out_a", type: "message", role: "assistant", content: "as sent" }]));
      rows.keep(answer("b", { provider: "beta", input }));
      const found = rows.resolve({ previous: "b", items: ["out_a"], brought: [] });
      expect(found.found === "all" && [...found.history, ...found.items].map(({ id, provider }) => [id, provider])).toEqual([
        ["out_a", "alpha"],
        ["out_b", "beta"],
        ["out_a", "alpha"],
      ]);
    });
  });

  test("that was begun is ended once, unless it was deleted or called off meanwhile", async () => {
    await withRows((open) => {
      const rows = open();
      for (const id of ["a", "b", "c"]) rows.keep(answer(id, { status: "in_progress", background: true }));
      rows.remove("b");
      rows.keep(answer("c", { status: "cancelled", background: true, input: null }));
      for (const id of ["a", "b", "c"]) rows.keep(answer(id, { status: "completed", background: true, input: null, provider: "" }));
      expect(["a", "b", "c"].map((id) => rows.find(id)?.status ?? null)).toEqual(["completed", null, "cancelled"]);
      expect(rows.inputOf("a")?.map(({ id }) => id)).toEqual(["in_a"]);
    });
  });

  test("is there for its time, which begins anew with each answer that goes on from it", async () => {
    await withRows((open) => {
      let now = 1_000_000;
      const rows = open(() => now);
      const time = LIMITS.conversationRetentionMilliseconds;
      rows.keep(answer("a"));
      rows.keep(answer("b"));
      now += time - 1;
      expect(rows.resolve({ previous: "a", items: [], brought: [] }).found).toBe("all");
      now += 2;
      expect([rows.find("a"), rows.find("b")].map((found) => found?.request_id ?? null)).toEqual(["req_a", null]);
      expect(rows.resolve({ previous: null, items: ["out_b"], brought: [] })).toEqual({ found: "part", missing: "out_b" });
      expect(rows.sweep()).toBe(now - 2 + time);
      now += time;
      expect(rows.sweep()).toBeNull();
    });
  });

  test("is bounded: a conversation too long for one call is refused, and an account's oldest answers go first", async () => {
    await withRows((open) => {
      let now = 0;
      const rows = open(() => now++);
      const says = "x".repeat(LIMITS.conversationResponseBytes - 1_000);
      for (let turn = 0; turn < 3; turn++) rows.keep(answer(`t${turn}`, { says, previous: turn === 0 ? null : `t${turn - 1}` }));
      expect(rows.resolve({ previous: "t1", items: [], brought: [] }).found).toBe("all");
      expect(rows.resolve({ previous: "t2", items: [], brought: [] })).toEqual({ found: "too-much" });
      expect(rows.evict(2 * LIMITS.conversationResponseBytes)).toBe(1);
      expect(["t0", "t1", "t2"].map((id) => rows.find(id) !== null)).toEqual([false, true, true]);
    });
  });
});

test("an account's answers are swept by an alarm, which is armed while anything is kept", async () => {
  const stub = conversationStub();
  await stub.keep(answer("a"));
  const alarm = await runInDurableObject(stub, (_instance, { storage }) => storage.getAlarm());
  expect(alarm).toBeGreaterThan(Date.now() + LIMITS.conversationRetentionMilliseconds);
  await runInDurableObject(stub, (_instance, { storage }) => storage.sql.exec("UPDATE response SET used_at = 0").toArray());
  expect(await runDurableObjectAlarm(stub)).toBe(true);
  const rows = await runInDurableObject(stub, (_instance, { storage }) => storage.sql.exec("SELECT count(*) AS rows FROM response").one());
  expect(rows["rows"]).toBe(0);
  expect(await runInDurableObject(stub, (_instance, { storage }) => storage.getAlarm())).toBeNull();
});
