/** `npm run new-provider`: tried in a copy of the folders it touches, and what it wrote is loaded and checked like any provider. */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import type { z } from "zod";
import { providerDefinitionSchema } from "../../schema/provider.ts";
import { readArguments, withRow } from "../../scripts/new-provider.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const copies: string[] = [];
let copy = "";

beforeEach(() => {
  copy = mkdtempSync(join(tmpdir(), "plyrum-new-provider-"));
  copies.push(copy);
  for (const path of ["schema", "workers/provider", "scripts/new-provider.ts", "package.json"])
    cpSync(join(root, path), join(copy, path), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
});
afterAll(() => {
  for (const folder of copies) rmSync(folder, { recursive: true, force: true });
});

function run(...parameters: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/new-provider.ts", ...parameters], {
    cwd: copy,
    encoding: "utf8",
  });
  return { status, output: stdout + stderr };
}

/** The provider as a fresh process loads it from the copy's registry. */
function loaded(id: string): z.infer<typeof providerDefinitionSchema> {
  const script = `import { PROVIDERS } from "./workers/provider/index.ts"; console.log(JSON.stringify(PROVIDERS[${JSON.stringify(id)}]))`;
  return providerDefinitionSchema.parse(
    JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", script], { cwd: copy, encoding: "utf8" })),
  );
}

describe("npm run new-provider", () => {
  test("writes a file that holds to the schema, and its row, and says what to do next", () => {
    const { status, output } = run("acme-labs", "--base-url", "https://api.acme.test/v1/");
    expect([status, output]).toEqual([0, expect.stringContaining("ACME_LABS_API_KEY=… npm start")]);
    expect(loaded("acme-labs")).toEqual({
      id: "acme-labs",
      name: "Acme Labs",
      base_url: "https://api.acme.test/v1",
      api_key_env: "ACME_LABS_API_KEY",
      base_url_env: "ACME_LABS_BASE_URL",
      endpoints: [{ protocol: "openai-chat", path: "/chat/completions" }],
      auth: { kind: "bearer" },
      headers: {},
      passed_headers: [],
      abort_stops_billing: false,
      quirks: { maxTokensField: "max_tokens" },
      offline_path: "/acme-labs/v1",
    });
    const text = readFileSync(join(copy, "workers/provider/acme-labs.ts"), "utf8");
    expect(text.trimEnd().split("\n").length).toBeLessThan(30);
    const check = (path: string): unknown =>
      execFileSync(join(root, "node_modules/.bin/oxfmt"), ["--config", join(root, "scripts/config/oxfmt.json"), "--check", path], {
        cwd: copy,
      });
    check("workers/provider/acme-labs.ts");
    check("workers/provider/index.ts");
  });

  test("makes a provider of another protocol, with that protocol's path, headers and kind of credential", () => {
    expect(run("acme", "--base-url", "https://api.acme.test", "--protocol", "anthropic-messages").status).toBe(0);
    expect(loaded("acme")).toMatchObject({
      endpoints: [{ protocol: "anthropic-messages", path: "/v1/messages" }],
      auth: { kind: "header", header: "x-api-key" },
      headers: { "anthropic-version": "2023-06-01" },
      quirks: {},
    });
  });

  test("makes a provider that needs no key, which an abort costs nothing more", () => {
    const { output } = run("acme", "--base-url", "http://localhost:9000/v1", "--no-key");
    expect(output).toContain("ACME_BASE_URL=… npm start");
    expect(loaded("acme").abort_stops_billing).toBe(true);
  });

  test.each([
    [["acme"], "--base-url"],
    [["acme", "--base-url", "nonsense"], "--base-url"],
    [["--base-url", "https://a.test"], "give one name"],
    [["Acme!", "--base-url", "https://a.test"], "no name for a provider"],
    [["../acme", "--base-url", "https://a.test"], "no name for a provider"],
    [["groq", "--base-url", "https://a.test"], "there is a provider groq already"],
    [["acme", "--base-url", "https://a.test", "--protocol", "smoke-signals"], "no protocol here"],
    [["acme", "--base-url", "https://a.test", "--frobnicate"], "frobnicate"],
  ])("refuses %j in words, and writes nothing", (parameters, words) => {
    const before = readFileSync(join(copy, "workers/provider/index.ts"), "utf8");
    const { status, output } = run(...parameters);
    expect([status, output]).toEqual([2, expect.stringContaining(words)]);
    expect(readFileSync(join(copy, "workers/provider/index.ts"), "utf8")).toBe(before);
    expect(existsSync(join(copy, "workers/provider/acme.ts"))).toBe(false);
  });
});

test("withRow() keeps imports in order, and takes a list on one line or on many", () => {
  const one = 'import { a } from "./a.ts";\nimport { c } from "./c.ts";\n\nexport const ALL = from([a, c].map(f));\n';
  expect(withRow(one, "b-x")).toBe(
    'import { a } from "./a.ts";\nimport { bX } from "./b-x.ts";\nimport { c } from "./c.ts";\n\nexport const ALL = from([a, c, bX].map(f));\n',
  );
  const many = 'import { a } from "./a.ts";\n\nexport const ALL = from(\n  [\n    a,\n  ].map(f));\n';
  expect(withRow(many, "z")).toBe(
    'import { a } from "./a.ts";\nimport { z } from "./z.ts";\n\nexport const ALL = from(\n  [\n    a,\n    z,\n  ].map(f));\n',
  );
});

test("readArguments() takes the protocol's default and strips the address's last slash", () => {
  expect(readArguments(["acme", "--base-url", "https://a.test/v1//"])).toEqual({
    id: "acme",
    baseUrl: "https://a.test/v1",
    protocol: "openai-chat",
    needsKey: true,
  });
});
