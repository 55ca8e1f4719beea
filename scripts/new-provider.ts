/**
 * `npm run new-provider -- NAME --base-url URL [--protocol openai-chat] [--no-key]`: writes the data file of a provider and its row in
 * the registry, from arguments, and says what is left to do. Writes nothing when anything is wrong.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { PROTOCOL_IDS, type ProtocolId, protocolIdSchema } from "../schema/protocol.ts";
import { type ProviderDefinition, providerDefinitionSchema } from "../schema/provider.ts";
import { PROVIDERS } from "../workers/provider/index.ts";

export interface NewProvider {
  id: string;
  baseUrl: string;
  protocol: ProtocolId;
  /** False: the address takes calls without a key, and an abort there costs nothing more. */
  needsKey: boolean;
}

/** What was asked for, or in words what is wrong with it. */
export function readArguments(parameters: string[]): NewProvider | string {
  try {
    const { values, positionals } = parseArgs({
      args: parameters,
      allowPositionals: true,
      options: {
        "base-url": { type: "string" },
        protocol: { type: "string", default: PROTOCOL_IDS[0] },
        "no-key": { type: "boolean", default: false },
      },
    });
    const [id, ...more] = positionals;
    if (id === undefined || more.length > 0) return "give one name, such as acme";
    if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(id))
      return `"${id}" is no name for a provider: small letters and digits, with single dashes between`;
    const baseUrl = values["base-url"]?.replace(/\/+$/, "");
    if (baseUrl === undefined || !URL.canParse(baseUrl)) return "give --base-url with the address that the provider's own SDK takes";
    const protocol = protocolIdSchema.safeParse(values.protocol);
    if (!protocol.success) return `"${values.protocol}" is no protocol here; there are ${PROTOCOL_IDS.join(", ")}`;
    return { id, baseUrl, protocol: protocol.data, needsKey: !values["no-key"] };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The provider as data. Paths, headers and the kind of credential are those of the first provider that speaks the protocol. */
export function definitionFor(asked: NewProvider): ProviderDefinition | null {
  for (const template of Object.values(PROVIDERS)) {
    const endpoint = template.endpoints.find((candidate) => candidate.protocol === asked.protocol);
    if (endpoint === undefined) continue;
    const variable = asked.id.toUpperCase().replaceAll("-", "_");
    return providerDefinitionSchema.parse({
      id: asked.id,
      name: titleOf(asked.id),
      base_url: asked.baseUrl,
      api_key_env: `${variable}_API_KEY`,
      base_url_env: `${variable}_BASE_URL`,
      endpoints: [endpoint],
      auth: template.auth,
      headers: template.headers,
      passed_headers: [],
      // Unknown is false: a stream that may be billed anyway is drained, so its usage is exact.
      abort_stops_billing: !asked.needsKey,
      quirks: asked.protocol === "openai-chat" ? { maxTokensField: "max_tokens" } : {},
      offline_path: `/${asked.id}${new URL(asked.baseUrl).pathname.replace(/\/$/, "")}`,
    } satisfies ProviderDefinition);
  }
  return null;
}

function titleOf(id: string): string {
  return id
    .split("-")
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join(" ");
}

function identifierOf(id: string): string {
  return id.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** A value as the formatter leaves it: on one line while it fits. */
function printed(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(printed).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([name, member]) => `${/^[a-zA-Z_]\w*$/.test(name) ? name : JSON.stringify(name)}: ${printed(member)}`,
  );
  return members.length === 0 ? "{}" : `{ ${members.join(", ")} }`;
}

/** The text of the provider's file. */
export function fileOf(definition: ProviderDefinition, needsKey: boolean): string {
  const turnedOn = needsKey ? `${definition.api_key_env} turns it on` : `Needs no key: ${definition.base_url_env} turns it on`;
  return [
    `/** ${definition.name}: ${definition.endpoints.map((endpoint) => endpoint.protocol).join(", ")} at its own address. ${turnedOn}. */`,
    'import type { ProviderDefinition } from "../../schema/provider.ts";',
    "",
    `export const ${identifierOf(definition.id)} = {`,
    ...Object.entries(definition).map(([name, value]) => `  ${name}: ${printed(value)},`),
    "} satisfies ProviderDefinition;",
    "",
  ].join("\n");
}

/** The registry's text with the provider's import, in its place among the others, and its row at the end of the list. */
export function withRow(registry: string, id: string): string {
  const name = identifierOf(id);
  const line = `import { ${name} } from "./${id}.ts";`;
  const lines = registry.split("\n");
  const imports = lines.flatMap((text, index) => (/^import \{ \w+ \} from "\.\//.test(text) ? [index] : []));
  const next = imports.find((index) => (lines[index]?.split('"')[1] ?? "") > `./${id}.ts`) ?? (imports.at(-1) ?? -1) + 1;
  lines.splice(next, 0, line);
  const end = lines.findIndex((text) => /\]\.map\(/.test(text));
  const row = lines[end] ?? "";
  if (/^\s*\]\.map\(/.test(row)) lines.splice(end, 0, `    ${name},`);
  else lines[end] = row.replace("].map(", `, ${name}].map(`);
  return lines.join("\n");
}

/** What is wrong with adding it here; null when nothing is. */
function obstacle(asked: NewProvider, folder: string): string | null {
  if (asked.id in PROVIDERS || existsSync(join(folder, `${asked.id}.ts`))) return `there is a provider ${asked.id} already`;
  return null;
}

function nextSteps({ id, api_key_env: key, base_url_env: address }: ProviderDefinition, needsKey: boolean): string {
  return [
    `Wrote workers/provider/${id}.ts and its row in workers/provider/index.ts. Next:`,
    `1. Check its facts: headers, quirks (schema/provider.ts lists them), what an abort costs.`,
    `2. Price its models in workers/cost/catalogue.json, or with PUT /admin/prices; without a price a model is refused.`,
    `   Say what they can do, and where that is from, in workers/cost/models.json: at least a row "${id}/*".`,
    `3. Turn it on: ${needsKey ? `${key}=…` : `${address}=…`} npm start`,
    `4. npm run check -- format types tests`,
  ].join("\n");
}

/** Does it, below `root`. The text to show, and whether it was done. */
export function addProvider(parameters: string[], root: string): { done: boolean; text: string } {
  const asked = readArguments(parameters);
  const usage = "npm run new-provider -- NAME --base-url URL [--protocol openai-chat] [--no-key]";
  if (typeof asked === "string") return { done: false, text: `${asked}\nusage: ${usage}` };
  const folder = join(root, "workers/provider");
  const reason = obstacle(asked, folder);
  if (reason !== null) return { done: false, text: reason };
  const definition = definitionFor(asked);
  if (definition === null)
    return { done: false, text: `no provider here speaks ${asked.protocol} yet, so its path is not known: write the file by hand` };
  const registry = join(folder, "index.ts");
  writeFileSync(join(folder, `${asked.id}.ts`), fileOf(definition, asked.needsKey));
  writeFileSync(registry, withRow(readFileSync(registry, "utf8"), asked.id));
  return { done: true, text: nextSteps(definition, asked.needsKey) };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { done, text } = addProvider(process.argv.slice(2), process.cwd());
  (done ? process.stdout : process.stderr).write(`${done ? "" : "new-provider: "}${text}\n`);
  process.exit(done ? 0 : 2);
}
