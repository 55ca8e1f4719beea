/** The provider files as data: each holds to the schema, to the names of the contract, and to the others. */
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { providerDefinitionSchema } from "../../schema/provider.ts";
import { PROVIDERS } from "../../workers/provider/index.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const providers = Object.values(PROVIDERS);
const files = readdirSync(join(root, "workers/provider"))
  .filter((name) => name.endsWith(".ts") && name !== "index.ts")
  .map((name) => name.replace(/\.ts$/, ""));

/** Providers whose credential is not one key, with the variables the contract names for them. */
const OTHER_CREDENTIALS = ["bedrock", "vertex"];

describe("the registry", () => {
  test("has at least 25 providers, each with an id of its own", () => {
    expect(providers.length).toBeGreaterThanOrEqual(25);
    expect(new Set(providers.map((provider) => provider.id)).size).toBe(providers.length);
  });

  test("lists every file of its folder, each named after its id", () => {
    expect(Object.keys(PROVIDERS).toSorted()).toEqual(files.toSorted());
  });

  test("leads no two providers to one path at the offline provider, so that its invoice tells them apart", () => {
    const paths = providers.flatMap(({ offline_path: base, endpoints }) => endpoints.map((endpoint) => base + endpoint.path));
    expect(paths.filter((path, index) => paths.indexOf(path) !== index)).toEqual([]);
    for (const { id, offline_path: path } of providers) expect(path, id).toMatch(/^(\/[\w.-]+)*$/);
  });
});

describe.each(providers)("$id", (provider) => {
  test("is what the schema says a provider is", () => {
    expect(providerDefinitionSchema.safeParse(provider).error?.issues ?? []).toEqual([]);
    expect(existsSync(join(root, "workers/provider", `${provider.id}.ts`))).toBe(true);
  });

  test("is turned on by the variables that the contract names", () => {
    const name = provider.id.toUpperCase().replaceAll("-", "_");
    expect(provider.base_url_env).toBe(`${name}_BASE_URL`);
    if (!OTHER_CREDENTIALS.includes(provider.id)) expect(provider.api_key_env).toBe(`${name}_API_KEY`);
  });

  test("has an address that a path can be put after", () => {
    expect(provider.base_url).not.toMatch(/\/$/);
    expect(provider.base_url).toMatch(/^https:|^http:\/\/(localhost|127\.0\.0\.1):/);
    // A place holder must never be called: the name may be somebody's.
    expect(provider.own_address === true).toBe(/[A-Z]{3,}/.test(provider.base_url));
  });

  test("names headers in lower case, and speaks no format twice", () => {
    for (const header of [...provider.passed_headers, ...Object.keys(provider.headers)]) expect(header).toBe(header.toLowerCase());
    expect(new Set(provider.endpoints.map((endpoint) => endpoint.protocol)).size).toBe(provider.endpoints.length);
  });

  test("has patterns that compile", () => {
    expect(() => new RegExp(provider.quirks.reasoningModelPattern ?? "")).not.toThrow();
  });
});
