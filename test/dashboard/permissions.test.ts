/** Who may do what: the table of roles, and the forms that change it. */
import { describe, expect, test } from "vitest";
import { isAllowed, newKeyForm, ownPathSchema, PERMISSIONS, ROLES, rolesGivenBy } from "../../schema/dashboard.ts";

describe("roles", () => {
  test("an owner may everything, and nobody else may change the organisation", () => {
    expect(PERMISSIONS.filter((permission) => !isAllowed("owner", permission))).toEqual([]);
    expect(ROLES.filter((role) => isAllowed(role, "organisation.change"))).toEqual(["owner"]);
  });

  test("who only reads changes nothing and spends nothing", () => {
    const changes = PERMISSIONS.filter((permission) => permission.endsWith(".change") || permission === "playground");
    expect(changes.filter((permission) => isAllowed("read-only", permission))).toEqual([]);
  });

  test("billing sees no requests and makes no keys, a member no money", () => {
    for (const permission of ["requests.view", "keys.view", "keys.change", "playground", "people.change"] as const)
      expect(isAllowed("billing", permission)).toBe(false);
    for (const permission of ["balance.view", "balance.change", "people.change"] as const)
      expect(isAllowed("member", permission)).toBe(false);
  });

  test("nobody gives a role above their own", () => {
    expect(rolesGivenBy("owner")).toEqual(ROLES);
    expect(rolesGivenBy("admin")).not.toContain("owner");
    for (const role of ["member", "billing", "read-only"] as const) expect(rolesGivenBy(role)).toEqual([]);
  });
});

describe("what people type", () => {
  const key = { name: "k", project_id: "prj_0000000000000000" };

  test("as an amount is read exactly, with a comma, points, spaces or a sign of roubles", () => {
    for (const text of ["1234.56", "1 234,56", "1\u00a0234,56 ₽"])
      expect(newKeyForm.parse({ ...key, per_day: text }).per_day).toBe(1_234_560_000n);
    expect(newKeyForm.parse({ ...key, per_day: "" }).per_day).toBeNull();
    for (const text of ["1.2345678", "-1", "1e3", "one", "1,2,3"])
      expect(newKeyForm.safeParse({ ...key, per_day: text }).success, text).toBe(false);
  });

  test("as the next page is a path of this site or nothing", () => {
    for (const path of ["/app", "/app/org_x/keys?done=1"]) expect(ownPathSchema.safeParse(path).success, path).toBe(true);
    for (const path of ["https://x.test", "//x.test", "/\\x.test", "app", "/a\nb", "/%0d%0a<"])
      expect(ownPathSchema.safeParse(path).success, path).toBe(false);
  });
});
