/**
 * The house rules a program can check beyond types, lint and import direction, as data. Each rule says where it holds, what breaks it,
 * what to do instead, and brings bad examples that it must catch: a rule that never fires guards nothing.
 */
import { type Finding, longFunctions, matches, type Source, usesOfThis } from "./source.ts";

export interface Rule {
  name: string;
  /** What to do instead. */
  advice: string;
  /** Paths the rule holds for. */
  covers: RegExp;
  /** Paths it does not hold for, each a decision. */
  except?: RegExp;
  find: (source: Source) => Finding[];
  /** Path and text of files the rule must object to. */
  bad: readonly (readonly [path: string, text: string])[];
}

const LINES_PER_FILE = 400;
const LINES_PER_FUNCTION = 70;
const LINES_PER_OBJECT_CLASS = 200;
const LINES_PER_PROVIDER = 120;

const PRODUCT = /^(workers|schema|db)\//;
const EVERYTHING = /^(workers|schema|db|scripts|test)\//;
const PURE = /^workers\/(protocol|cost|ledger|payment|routing|guard|planner|provider)\//;
const INJECTED = /^workers\/(runtime|engine|topup)\//;
const TIDY_ITSELF = /^test\/tidy/;

const inCode = (pattern: RegExp) => (source: Source) => matches(source.code, pattern);
const inStrings = (pattern: RegExp) => (source: Source) => matches(source.withoutComments, pattern);
const inText = (pattern: RegExp) => (source: Source) => matches(source.text, pattern);
const longerThan = (limit: number) => (source: Source) => {
  const lines = source.text.trimEnd().split("\n").length;
  return lines > limit ? [{ line: 1, what: `${lines} lines` }] : [];
};
const lines = (count: number): string => "x;\n".repeat(count);

const CLOCK_AND_CHANCE =
  /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b|\bMath\.random\b|\bcrypto\.|\bset(Timeout|Interval)\b|\bconsole\./;

/** `providerIds` are the files of workers/provider, so a new provider is guarded from its first day; `protocolIds` those of schema/protocol.ts. */
export function rulesFor(providerIds: readonly string[], protocolIds: readonly string[]): Rule[] {
  const providersUnnamed = providerNameRule(providerIds, protocolIds);
  return [...lengthRules, ...nameRules, ...purityRules, ...boundaryRules, ...storageRules, ...testRules, providersUnnamed];
}

const lengthRules: Rule[] = [
  {
    name: "file length",
    advice: `split the file by its nouns (${LINES_PER_FILE} lines); a table of facts says "// data table" on its first line`,
    covers: EVERYTHING,
    find: (source) => (source.text.startsWith("// data table") ? [] : longerThan(LINES_PER_FILE)(source)),
    bad: [["workers/cost/a.ts", lines(401)]],
  },
  {
    name: "function length",
    advice: `take a step out and name it (${LINES_PER_FUNCTION} lines; comments are free)`,
    covers: EVERYTHING,
    find: (source) => longFunctions(source, LINES_PER_FUNCTION),
    bad: [
      ["workers/cost/a.ts", `function f() {\n${lines(69)}}`],
      ["test/cost/a.test.ts", `test("a b", () => {\n${lines(69)}});`],
    ],
  },
  {
    name: "object class length",
    advice: `an object only wires ports to pure steps (${LINES_PER_OBJECT_CLASS} lines): move the decision into a function of its dependencies`,
    covers: /^workers\//,
    find: (source) => (/\bextends DurableObject\b/.test(source.code) ? longerThan(LINES_PER_OBJECT_CLASS)(source) : []),
    bad: [["workers/durable/a.ts", `class A extends DurableObject {}\n${lines(200)}`]],
  },
  {
    name: "provider file length",
    advice: "a provider is data: what needs more lines is a quirk of a protocol, or a protocol of its own",
    covers: /^workers\/provider\//,
    find: longerThan(LINES_PER_PROVIDER),
    bad: [["workers/provider/acme.ts", lines(121)]],
  },
];

const nameRules: Rule[] = [
  {
    name: "file name",
    advice: "name the file after its main symbol: what it is or does, not that it manages, helps or handles",
    covers: EVERYTHING,
    find: (source) => matches(source.path, /(^|[/-])(manager|helper|util|handler|service|common|misc|stuff)s?(?=[-./])/i),
    bad: [
      ["workers/http/key-manager.ts", ""],
      ["workers/cost/utils.ts", ""],
      ["workers/queue/helpers/a.ts", ""],
    ],
  },
  {
    name: "file header",
    advice: "open the file with a sentence or two that say what it is and why it is there",
    covers: /^(workers|schema|db|scripts)\//,
    find: (source) => (/^(#!.*\n)?\/[/*]/.test(source.text) ? [] : [{ line: 1, what: "no opening comment" }]),
    bad: [["workers/cost/a.ts", "export const a = 1;"]],
  },
  {
    name: "leftovers",
    advice: "do it now, or open an issue; the code holds no reminders",
    covers: EVERYTHING,
    except: TIDY_ITSELF,
    find: inText(/\b(TODO|FIXME|XXX|HACK)\b/),
    bad: [
      ["schema/a.ts", "// TODO later"],
      ["test/a.test.ts", "/* FIXME */"],
    ],
  },
];

const purityRules: Rule[] = [
  {
    name: "pure rooms",
    advice: "take the clock, chance, the network and settings as arguments; hold state in the caller",
    covers: PURE,
    find: (source) => [...inCode(CLOCK_AND_CHANCE)(source), ...inCode(/\bfetch\(|\benv\b/)(source), ...usesOfThis(source)],
    bad: [
      "Date.now()",
      "new Date()",
      "Math.random()",
      "crypto.subtle",
      "fetch(url)",
      "this.x",
      "env.DB",
      "setTimeout(f)",
      "console.log(1)",
    ].map((text) => ["workers/cost/a.ts", text] as const),
  },
  {
    name: "injected clock and network",
    advice: "use the port the caller hands in, so that tests and plain Node can drive time and failures",
    covers: INJECTED,
    find: (source) => [...inCode(CLOCK_AND_CHANCE)(source), ...inCode(/(?<![.\w])fetch\(|\benv\b/)(source)],
    bad: ["Date.now()", "fetch(url)", "env.DB"].map((text) => ["workers/runtime/a.ts", text] as const),
  },
  {
    name: "money is no float",
    advice: "stay in bigint; convert tokens where they enter and money where it leaves, in schema/money.ts",
    covers: /^workers\/(cost\/|ledger\/|topup\/|payment\/(amount|match-order)\.)/,
    find: inCode(/\bparseFloat\b|\bNumber\(|\.toFixed\(/),
    bad: [
      ["workers/cost/a.ts", "Number(x)"],
      ["workers/ledger/a.ts", "parseFloat(x)"],
    ],
  },
];

const boundaryRules: Rule[] = [
  {
    name: "no unchecked type",
    advice: "parse the value with its schema, or narrow it; a cast hides what a check would find",
    covers: /^(workers|schema|db|scripts)\//,
    find: inCode(/\bas unknown as\b|\bas any\b|:\s*any\b|<any>|\bany\[\]/),
    bad: ["x as unknown as Y", "x as any", "let x: any", "f<any>()"].map((text) => ["workers/http/a.ts", text] as const),
  },
  {
    name: "one way to parse JSON",
    advice: "use parseJson or parseWith of schema/json.ts: depth is limited, and a schema follows",
    covers: PRODUCT,
    except: /^(schema\/json|workers\/protocol\/json[\w-]*|workers\/dashboard\/islands\/read-json)\.ts$/,
    find: inCode(/\bJSON\.parse\b|\.json\(\)/),
    bad: [
      ["workers/queue/a.ts", "JSON.parse(text)"],
      ["workers/http/a.ts", "await request.json()"],
    ],
  },
];

const storageRules: Rule[] = [
  {
    name: "append-only SQL",
    advice: "replacing a row deletes the first one; use ON CONFLICT DO NOTHING or DO UPDATE, which keep it",
    covers: /^(workers|db)\//,
    find: inStrings(/\bOR\s+REPLACE\b|\bREPLACE\s+INTO\b/i),
    bad: [
      ["workers/durable/a.ts", 'const x = "INSERT OR REPLACE INTO t"'],
      ["db/a.ts", "`REPLACE INTO t`"],
    ],
  },
  {
    name: "SQL of objects in their store files",
    advice: "write rows in a *-rows.ts, *-store.ts or *-tables.ts file, which its object calls inside transactionSync",
    covers: /^workers\//,
    except: /^workers\/durable\/[\w-]+-(rows|store|tables)\.ts$/,
    find: inCode(/\.sql\.exec\b|\bsql\.exec\b/),
    bad: [
      ["workers/durable/account-object.ts", "ctx.storage.sql.exec(x)"],
      ["workers/durable/a.ts", "this.sql.exec(x)"],
    ],
  },
];

const testRules: Rule[] = [
  {
    name: "no test left out",
    advice: "mend or delete the test; one that needs something absent says so with skipIf and a reason",
    covers: /^test\//,
    except: TIDY_ITSELF,
    find: inCode(/\b(it|test|describe)\.(skip|only|todo|fails)\b(?!If)/),
    bad: [
      ["test/a.test.ts", 'test.skip("a b", f)'],
      ["test/a.test.ts", 'describe.only("a", f)'],
    ],
  },
  {
    name: "test names are sentences",
    advice: "say what the tested thing does, and when",
    covers: /^test\//,
    except: TIDY_ITSELF,
    find: inStrings(/^\s*(it|test)\(\s*["'`][^\s"'`]*["'`]/m),
    bad: [["test/a.test.ts", 'test("works", f)']],
  },
];

/**
 * A protocol may have a provider's name. Its exact id is then allowed as a whole string, and its folder in an import, but nothing that
 * names the provider: a slug, or a comparison with something called a provider.
 */
function providerNameRule(providerIds: readonly string[], protocolIds: readonly string[]): Rule {
  const onlyProviders = providerIds.filter((id) => !protocolIds.includes(id));
  const names = new RegExp(
    [
      `["'\`](${onlyProviders.join("|")})["'\`]`,
      `["'\`](${providerIds.join("|")})/`,
      `[pP]rovider\\w*\\s*[!=]==\\s*["'\`](${providerIds.join("|")})["'\`]`,
    ].join("|"),
  );
  return {
    name: "providers unnamed",
    advice: "declare the difference as a property of the provider in schema/provider.ts and read that property here",
    covers: /^workers\//,
    except: /^workers\/provider\//,
    find: inStrings(names),
    bad: providerIds.flatMap((id) => [
      ["workers/engine/a.ts", `if (provider === "${id}") f();`] as const,
      ["workers/engine/a.ts", `const model = "${id}/some-model";`] as const,
    ]),
  };
}
