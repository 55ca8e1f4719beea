import { describe, expect, test } from "vitest";
import { listModels, resolveModel, type RoutingTable } from "../../workers/routing/resolve-model.ts";

const TABLE: RoutingTable = {
  served: ["alpha/*", "beta/*"],
  pricedModels: ["alpha/one", "alpha/shared", "beta/shared", "beta/team/two", "alpha/*", "gamma/three"],
  aliases: { fast: "beta/team/two", loop: "loop", short: "one", again: "fast", "alpha/old": "alpha/one" },
};

function resolved(name: string, hint: string | null = null, table = TABLE): string {
  const outcome = resolveModel(name, hint, table);
  return outcome.ok ? `${outcome.value.provider} ${outcome.value.model} ${outcome.value.reason}` : outcome.error.code;
}

describe("resolveModel()", () => {
  test("takes a bare name for the model that is declared in full, where others only come with a provider", () => {
    const table = { served: ["here/*", "there/*", "there/mine"], pricedModels: ["here/mine", "there/mine"], aliases: {} };
    expect(resolveModel("mine", null, table)).toMatchObject({ ok: true, value: { provider: "there", model: "mine" } });
    expect(resolveModel("mine", null, { ...table, served: ["here/*", "there/*"] }).ok).toBe(false);
  });

  test("takes a slug apart at its first slash", () => {
    expect(resolved("alpha/one")).toBe("alpha one slug");
    expect(resolved("beta/team/two")).toBe("beta team/two slug");
  });

  test("finds a bare name that one provider has, with a slash in it too", () => {
    expect(resolved("one")).toBe("alpha one bare-name");
    expect(resolved("team/two")).toBe("beta team/two bare-name");
  });

  test("refuses an ambiguous bare name and lists what it may mean", () => {
    const outcome = resolveModel("shared", null, TABLE);
    expect(outcome).toMatchObject({ ok: false, error: { code: "model_not_found", available: ["alpha/shared", "beta/shared"] } });
  });

  test("obeys a hint, and refuses an unknown one with the providers there are", () => {
    expect(resolved("shared", "beta")).toBe("beta shared provider-hint");
    expect(resolved("alpha/one", "alpha")).toBe("alpha one provider-hint");
    expect(resolveModel("shared", "delta", TABLE)).toMatchObject({
      ok: false,
      error: { code: "provider_not_found", available: ["alpha", "beta"] },
    });
  });

  test("does not resolve to a provider that is off", () => {
    expect(resolved("three")).toBe("alpha three bare-name");
    const error = { code: "model_not_found" };
    expect(resolveModel("three", null, { ...TABLE, pricedModels: ["gamma/three"] })).toMatchObject({ ok: false, error });
    expect(resolveModel("gamma/three", null, { ...TABLE, pricedModels: ["gamma/three"] })).toMatchObject({ ok: false, error });
  });
});

describe("aliases", () => {
  test("an alias stands for a slug or a bare name, and is followed once and no further", () => {
    expect(resolved("fast")).toBe("beta team/two alias");
    expect(resolved("short")).toBe("alpha one alias");
    // `again` names another alias: its target is taken for a bare name, which nobody has but the provider of any model.
    expect(resolved("again")).toBe("alpha fast alias");
    expect(resolved("loop")).toBe("alpha loop bare-name");
  });

  test("an alias comes before a slug of the same text, and obeys a hint", () => {
    expect(resolved("alpha/old")).toBe("alpha one alias");
    expect(resolved("short", "beta")).toBe("beta one alias");
  });

  test("an alias to a model that nobody serves is not found", () => {
    expect(resolved("away", null, { ...TABLE, aliases: { away: "gamma/three" } })).toBe("model_not_found");
  });

  test("a name of an object's prototype is no alias", () => {
    expect(resolved("constructor")).toBe("alpha constructor bare-name");
    expect(resolved("__proto__")).toBe("alpha __proto__ bare-name");
  });
});

describe("wildcards", () => {
  const local: RoutingTable = {
    served: ["alpha/*", "here/*", "acme/large", "acme/v?-*"],
    pricedModels: ["alpha/one", "here/*", "acme/*"],
    aliases: {},
  };

  test("a provider that takes any model gets a bare name nobody lists, when it is the only one", () => {
    expect(resolved("mine", null, local)).toBe("here mine bare-name");
    expect(resolved("one", null, local)).toBe("alpha one bare-name");
  });

  test("two providers that take any model make such a name ambiguous, and both are named", () => {
    const two = { ...local, served: [...local.served, "acme/*"] };
    expect(resolveModel("mine", null, two)).toMatchObject({ ok: false, error: { available: ["here/mine", "acme/mine"] } });
  });

  test("of two, the one that speaks the caller's own format is meant", () => {
    const two = { ...local, served: [...local.served, "acme/*"], home: ["acme", "elsewhere"] };
    expect(resolved("mine", null, two)).toBe("acme mine bare-name");
    expect(resolved("one", null, two)).toBe("alpha one bare-name");
  });

  test("a name with a slash is never handed to a provider that takes any model, but listed models are", () => {
    expect(resolveModel("nowhere/mine", null, local)).toMatchObject({
      ok: false,
      error: { code: "model_not_found", available: ["alpha/one", "acme/large"] },
    });
  });

  test("a provider that serves only named models serves no other", () => {
    expect(resolved("acme/large", null, local)).toBe("acme large slug");
    expect(resolved("large", null, local)).toBe("acme large bare-name");
    expect(resolved("acme/small", null, local)).toBe("model_not_found");
    expect(resolved("small", "acme", local)).toBe("model_not_found");
  });

  test("a slug without a price is resolved all the same, so that the missing price is what is said", () => {
    expect(resolved("alpha/unpriced", null, local)).toBe("alpha unpriced slug");
  });
});

describe("the tag :latest", () => {
  const table: RoutingTable = {
    served: ["alpha/*", "here/*"],
    pricedModels: ["alpha/one", "alpha/two:latest", "here/*"],
    aliases: { fast: "alpha/one" },
  };

  test("is left out where the name is listed, or an alias, without it", () => {
    expect(resolved("one:latest", null, table)).toBe("alpha one bare-name");
    expect(resolved("alpha/one:latest", null, table)).toBe("alpha one slug");
    expect(resolved("fast:latest", null, table)).toBe("alpha one alias");
  });

  test("stays where the name is listed with it, and where nobody lists the name", () => {
    expect(resolved("two:latest", null, table)).toBe("alpha two:latest bare-name");
    expect(resolved("mine:latest", null, table)).toBe("here mine:latest bare-name");
    expect(resolved("here/mine:latest", null, table)).toBe("here mine:latest slug");
  });
});

test("listModels() names what is served and priced, each once and no glob", () => {
  expect(listModels(TABLE)).toEqual(["alpha/one", "alpha/shared", "beta/shared", "beta/team/two"]);
  expect(listModels({ ...TABLE, served: ["beta/team/two", "alpha/new"] })).toEqual(["beta/team/two", "alpha/new"]);
});
