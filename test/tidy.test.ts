/** Runs every tidy rule over every source file, and every rule over its own bad examples. The rules are data: test/tidy/rules.ts. */
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { PROTOCOL_IDS } from "../schema/protocol.ts";
import { type Rule, rulesFor } from "./tidy/rules.ts";
import { listFiles, readSource, type Source, sourceOf } from "./tidy/source.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folders = ["workers", "schema", "db", "scripts", "test"];
const sources = folders
  .flatMap((folder) => [...listFiles(root, folder, ".ts"), ...listFiles(root, folder, ".tsx")])
  .map((path) => readSource(root, path));
const providerIds = listFiles(root, "workers/provider", ".ts")
  .map((path) => basename(path, ".ts"))
  .filter((id) => id !== "index");
const rules = rulesFor(providerIds, PROTOCOL_IDS);

function breaches(rule: Rule, source: Source): string[] {
  if (!rule.covers.test(source.path) || rule.except?.test(source.path) === true) return [];
  return rule.find(source).map((finding) => `${source.path}:${finding.line}: ${finding.what}`);
}

describe("the tree keeps every tidy rule", () => {
  test("there are sources and providers to look at", () => {
    expect(sources.length).toBeGreaterThan(20);
    expect(providerIds.length).toBeGreaterThan(1);
  });

  test.each(rules)("$name: the tree keeps it", (rule) => {
    const found = sources.flatMap((source) => breaches(rule, source));
    expect(found, `${rule.name}: ${rule.advice}`).toEqual([]);
  });
});

describe("every tidy rule fires", () => {
  test.each(rules)("$name: its bad examples are caught", (rule) => {
    expect(rule.bad.length).toBeGreaterThan(0);
    for (const [path, text] of rule.bad) {
      expect(breaches(rule, sourceOf(path, text)), `${path}: ${text.slice(0, 60)}`).not.toEqual([]);
    }
  });

  test("a protocol's own id and folder may be named where a provider has the same name, and no other provider's may", () => {
    const [rule] = rulesFor(["gemini", "acme"], ["gemini"]).filter(({ name }) => name === "providers unnamed");
    const found = (text: string): string[] =>
      rule === undefined ? ["no such rule"] : breaches(rule, sourceOf("workers/engine/a.ts", text));
    expect(found('import { gemini } from "../protocol/gemini/index.ts";\nif (protocol === "gemini") f();')).toEqual([]);
    expect(found('import { acme } from "../protocol/acme/index.ts";')).toEqual([]);
    for (const text of ['protocol === "acme"', '"gemini/pro"', 'attempt.provider !== "gemini"', "providerId === 'gemini'"]) {
      expect(found(text), text).toHaveLength(1);
    }
  });

  test("comments and strings are not taken for code", () => {
    const pure = rules.find((rule) => rule.name === "pure rooms");
    const text = '/** Not `this`, nor Date.now(). */\nexport const a = "fetch(this)"; // env\nexport const b = `console.${a}`;\n';
    expect(pure === undefined ? ["no such rule"] : breaches(pure, sourceOf("workers/cost/a.ts", text))).toEqual([]);
  });
});
