/** Hostile bodies from a valid one: every place of it in turn replaced by every kind of wrong value, as JSON text. */

/** A seeded stream of numbers in [0, 1): mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Mutation {
  /** The place and the value, for a failing test's message. */
  name: string;
  text: string;
}

/** JSON texts that stand where something else was expected. */
export const HOSTILE_VALUES: readonly string[] = [
  "null",
  "true",
  "false",
  "0",
  "-1",
  "1.5",
  "-0.0",
  "1e400",
  "-1e400",
  "1e-400",
  "9007199254740991",
  "9007199254740993",
  "18446744073709551616",
  '""',
  '"x"',
  String.raw`"\ud800"`,
  String.raw`"\udc00\ud800"`,
  String.raw`"\u0000"`,
  String.raw`"\r\nx-injected: 1\r\n\r\ndata: {}\n\n"`,
  '"\u2028\u2029\ufeff"',
  '"__proto__"',
  '"constructor"',
  '"../../v1/files?x=1#y"',
  '"$&$1$`"',
  '"data:,"',
  '"data:;base64,"',
  '"data:image/png;base64,%%%"',
  '"https://169.254.169.254/a.constructor"',
  '"ply1.gemini.x"',
  '"ply1.nobody.x"',
  "[]",
  "[null]",
  "[[]]",
  '[""]',
  "[{}]",
  '["x",1,{},null]',
  "{}",
  '{"type":"text"}',
  '{"type":"constructor"}',
  '{"type":"__proto__","text":1}',
  '{"__proto__":{"type":"text","text":"x"}}',
  '{"constructor":{"prototype":{"a":1}},"toString":1,"hasOwnProperty":null,"toJSON":"x","then":1,"valueOf":"x","length":-1}',
  `${"[".repeat(60)}${"]".repeat(60)}`,
  `${'{"a":'.repeat(140)}1${"}".repeat(140)}`,
];

/** Members that no wire describes, named like what every object has. */
const STRANGE_MEMBERS = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "valueOf",
  "toJSON",
  "then",
  "",
  "\u0000",
  "a\r\nb: c",
  "\ud800",
  "юникод",
  "\u{1f600}".repeat(700),
];

type Path = readonly (string | number)[];

function* places(value: unknown, path: Path): Generator<Path> {
  yield path;
  if (typeof value !== "object" || value === null) return;
  for (const [key, member] of Object.entries(value)) yield* places(member, [...path, Array.isArray(value) ? Number(key) : key]);
}

/** The value as JSON text with the place at `path` exchanged; `null` leaves it out. */
function textWith(value: unknown, path: Path, replacement: string | null): string {
  if (path.length === 0) return replacement ?? "";
  const [step, ...rest] = path;
  const inner = (member: unknown, key: string | number): string | null => {
    if (key !== step) return JSON.stringify(member);
    return rest.length === 0 ? replacement : textWith(member, rest, replacement);
  };
  if (Array.isArray(value)) return `[${value.flatMap((member: unknown, index) => inner(member, index) ?? []).join(",")}]`;
  const members = Object.entries(value ?? {}).flatMap(([key, member]) => {
    const text = inner(member, key);
    return text === null ? [] : [`${JSON.stringify(key)}:${text}`];
  });
  return `{${members.join(",")}}`;
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((found, step) => (typeof found === "object" && found !== null ? Reflect.get(found, step) : undefined), value);
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** Every mutation of one place: replaced, left out, twice, and with members that no wire knows. */
function* mutationsOf(body: Record<string, unknown>): Generator<Mutation> {
  for (const path of places(body, [])) {
    const where = path.join(".") || "the body";
    const before = valueAt(body, path);
    for (const value of HOSTILE_VALUES) yield { name: `${where} = ${shortened(value)}`, text: textWith(body, path, value) };
    if (path.length > 0) yield { name: `${where} left out`, text: textWith(body, path, null) };
    if (Array.isArray(before) && before.length > 0)
      yield { name: `${where} doubled`, text: textWith(body, path, JSON.stringify([...before, ...before])) };
    if (typeof before !== "object" || before === null || Array.isArray(before)) continue;
    for (const member of STRANGE_MEMBERS) {
      for (const value of ['"x"', "{}", '{"a":[1,null]}']) {
        const inside = JSON.stringify(before).slice(1, -1);
        const joint = inside === "" ? "" : ",";
        yield {
          name: `${where} with ${shortened(JSON.stringify(member))} = ${value}`,
          text: textWith(body, path, `{${inside}${joint}${JSON.stringify(member)}:${value}}`),
        };
      }
    }
  }
}

/** So many of the mutations, chosen by a seed; every one where `count` is larger. */
export function sampleMutations(body: Record<string, unknown>, count: number, seed: number): Mutation[] {
  const random = seeded(seed);
  const chosen: Mutation[] = [];
  let seen = 0;
  for (const mutation of mutationsOf(body)) {
    seen += 1;
    if (chosen.length < count) chosen.push(mutation);
    else {
      const place = Math.floor(random() * seen);
      if (place < count) chosen[place] = mutation;
    }
  }
  return chosen;
}

/** Texts that are hardly JSON, or JSON of a hostile shape, whatever the protocol. */
export const HOSTILE_TEXTS: readonly Mutation[] = [
  ["nothing", ""],
  ["a space", " "],
  ["a text", '"x"'],
  ["a number", "1"],
  ["a list", "[]"],
  ["half an object", '{"model":'],
  ["a trailing comma", '{"model":"x",}'],
  ["a comment", '{/*x*/"model":"x"}'],
  ["two objects", "{}{}"],
  ["single quotes", "{'model':'x'}"],
  ["NaN", '{"model":NaN}'],
  ["a byte order mark", "\ufeff{}"],
  ["a null byte", "\u0000{}"],
  ["an unpaired escape", String.raw`{"model":"\ud8"}`],
  ["brackets without end", "[".repeat(100_000)],
  ["objects without end", '{"a":'.repeat(100_000)],
  ["deep and closed", `${"[".repeat(50_000)}${"]".repeat(50_000)}`],
  ["deep in a field", `{"model":"openai/gpt-5-mini","messages":${"[".repeat(5_000)}${"]".repeat(5_000)}}`],
  ["HTML", "<html></html>"],
  ["a form", "model=x&messages=y"],
].map(([name, text]) => ({ name: name ?? "", text: text ?? "" }));
