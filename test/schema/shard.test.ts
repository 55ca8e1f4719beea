import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { monthOf, ONE_DATABASE, type ShardMap, shardMapFault, shardMapSchema, shardOf, shardsNamed, shardsOf } from "../../schema/shard.ts";

const map: ShardMap = {
  rules: [
    { from_month: "2026-12", databases: ["USAGE_1"] },
    { from_month: "2027-03", databases: ["USAGE_1", "USAGE_2", "USAGE_3"] },
  ],
};

describe("the shard map", () => {
  test("keeps everything in the one database until a rule says otherwise", () => {
    expect(shardOf(ONE_DATABASE, "acc_00000001", "2026-11")).toBe("DB");
    expect(shardsOf(ONE_DATABASE, "acc_00000001")).toEqual(["DB"]);
    expect(shardOf(map, "acc_00000001", "2026-11")).toBe("DB");
    expect(shardOf(map, "acc_00000001", "2026-12")).toBe("USAGE_1");
    expect(shardOf(map, "acc_00000001", "2027-02")).toBe("USAGE_1");
  });

  test("puts an account's month always in the same database, and only in one that is asked for the account", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^acc_[0-9A-Za-z]{16}$/), fc.integer({ min: 0, max: 200 }), (id, months) => {
        const month = monthOf(Date.UTC(2020, months, 3));
        const name = shardOf(map, id, month);
        expect(shardsOf(map, id)).toContain(name);
        expect(shardsNamed(map)).toContain(name);
        expect(shardOf(map, id, month)).toBe(name);
      }),
    );
  });

  test("spreads accounts evenly", () => {
    const counts = new Map<string, number>();
    for (let index = 0; index < 30_000; index++) {
      const name = shardOf(map, `acc_${String(index).padStart(16, "0")}`, "2027-03");
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    expect([...counts.keys()].toSorted()).toEqual(["USAGE_1", "USAGE_2", "USAGE_3"]);
    for (const count of counts.values()) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });

  test("keeps its hash for ever: rows are found by it", () => {
    const names = ["demo", "acc_0000000000000001", "acc_0000000000000002", "acc_zzzzzzzzzzzzzzzz", "acc_0000000000000007"].map((id) =>
      shardOf(map, id, "2027-03"),
    );
    expect(names).toEqual(["USAGE_1", "USAGE_3", "USAGE_3", "USAGE_3", "USAGE_2"]);
  });

  test("takes further rules for months to come and refuses a change of those that may have rows", () => {
    const later = { rules: [...map.rules, { from_month: "2027-09", databases: ["USAGE_4"] }] };
    expect(shardMapFault(map, later, "2027-08")).toBeNull();
    expect(shardMapFault(map, later, "2027-09")).toContain("2027-09");
    expect(shardMapFault(map, { rules: [] }, "2026-11")).toBeNull();
    expect(shardMapFault(map, { rules: [] }, "2026-12")).not.toBeNull();
    expect(shardMapFault(map, map, "2030-01")).toBeNull();
  });

  test.each([
    ["months out of order", [map.rules[1], map.rules[0]]],
    ["a month twice", [map.rules[0], map.rules[0]]],
    ["a month that is none", [{ from_month: "2026-13", databases: ["DB"] }]],
    ["no database", [{ from_month: "2026-12", databases: [] }]],
    ["a binding of another kind", [{ from_month: "2026-12", databases: ["ARCHIVE"] }]],
    ["USAGE_0", [{ from_month: "2026-12", databases: ["USAGE_0"] }]],
  ])("with %s is refused", (_what, rules) => {
    expect(shardMapSchema.safeParse({ rules }).success).toBe(false);
  });
});
