import { describe, expect, test } from "vitest";
import { resolveModel, type RoutingTable } from "../../workers/routing/resolve-model.ts";

const TABLE: RoutingTable = {
  providers: ["alpha", "beta"],
  pricedModels: ["alpha/one", "alpha/shared", "beta/shared", "beta/team/two", "alpha/*", "gamma/three"],
  aliases: { fast: "beta/team/two", loop: "loop" },
};

function resolved(name: string, hint: string | null = null): string {
  const outcome = resolveModel(name, hint, TABLE);
  return outcome.ok ? `${outcome.value.provider} ${outcome.value.model} ${outcome.value.reason}` : outcome.error.code;
}

describe("resolveModel()", () => {
  test("takes a slug apart at its first slash", () => {
    expect(resolved("alpha/one")).toBe("alpha one slug");
    expect(resolved("beta/team/two")).toBe("beta team/two slug");
  });

  test("finds a bare name that one provider has", () => {
    expect(resolved("one")).toBe("alpha one bare-name");
    expect(resolved("team/two")).toBe("beta team/two bare-name");
  });

  test("refuses an ambiguous bare name and lists what it may mean", () => {
    const outcome = resolveModel("shared", null, TABLE);
    expect(outcome).toMatchObject({ ok: false, error: { code: "model_not_found", available: ["alpha/shared", "beta/shared"] } });
  });

  test("follows an alias once, and no further", () => {
    expect(resolved("fast")).toBe("beta team/two alias");
    expect(resolved("loop")).toBe("alpha loop bare-name");
  });

  test("obeys a hint, and refuses an unknown one with the providers there are", () => {
    expect(resolved("shared", "beta")).toBe("beta shared provider-hint");
    expect(resolveModel("shared", "delta", TABLE)).toMatchObject({
      ok: false,
      error: { code: "provider_not_found", available: ["alpha", "beta"] },
    });
  });

  test("does not resolve to a provider that is off", () => {
    expect(resolved("three")).toBe("alpha three bare-name");
    expect(resolveModel("three", null, { ...TABLE, pricedModels: ["gamma/three"] })).toMatchObject({
      ok: false,
      error: { code: "model_not_found" },
    });
  });

  test("does not take a name of an object's prototype for an alias", () => {
    expect(resolved("constructor")).toBe("alpha constructor bare-name");
  });
});
