/**
 * Writes test/vectors/cost.json: priced requests with their exact cost, for any language to check a cost implementation against.
 *
 * Shares no code with workers/cost. It works in whole fractions of a dollar, straight from the decimal text of the prices, and takes
 * the ceiling of a rational number; the product works in integers of pico-USD. `node scripts/cost-vectors.ts` writes the file again.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** An exact non-negative fraction in lowest terms. */
interface Fraction {
  top: bigint;
  bottom: bigint;
}

interface Tier {
  prompt_tokens: number;
  [name: string]: string | number | null;
}

interface Price {
  input: string;
  output: string;
  cache_read: string | null;
  cache_write_5m: string | null;
  cache_write_1h: string | null;
  request: string;
  above: Tier[];
}

type Tokens = Record<
  "input_tokens" | "cache_read_tokens" | "cache_write_5m_tokens" | "cache_write_1h_tokens" | "output_tokens" | "reasoning_tokens",
  number | null
>;

export interface CostVector {
  name: string;
  fx_micro_rub_per_usd: number;
  markup_bps: number;
  price: Price;
  usage: Tokens;
  expected: { cost_micro_rub: string; provider_cost_pico_usd: string; flagged: string | null };
}

type Case = Omit<CostVector, "expected">;

const LARGEST = 9_007_199_254_740_991n;

function reduced(top: bigint, bottom: bigint): Fraction {
  let [left, right] = [top, bottom];
  while (right !== 0n) [left, right] = [right, left % right];
  return left === 0n ? { top: 0n, bottom: 1n } : { top: top / left, bottom: bottom / left };
}

function fraction(text: string): Fraction {
  const point = text.indexOf(".");
  if (point === -1) return { top: BigInt(text), bottom: 1n };
  return reduced(BigInt(text.replace(".", "")), 10n ** BigInt(text.length - point - 1));
}

function plus(left: Fraction, right: Fraction): Fraction {
  return reduced(left.top * right.bottom + right.top * left.bottom, left.bottom * right.bottom);
}

function times(left: Fraction, right: Fraction): Fraction {
  return reduced(left.top * right.top, left.bottom * right.bottom);
}

function over(value: Fraction, divisor: bigint): Fraction {
  return reduced(value.top, value.bottom * divisor);
}

const CLASSES = [
  ["input", "input_tokens"],
  ["cache_read", "cache_read_tokens"],
  ["cache_write_5m", "cache_write_5m_tokens"],
  ["cache_write_1h", "cache_write_1h_tokens"],
  ["output", "output_tokens"],
] as const;

/** The tier's own price where it has one, else the base price; a class priced nowhere costs what fresh input costs. */
function priceOf(price: Price, tier: Tier | null, name: (typeof CLASSES)[number][0]): { usd: Fraction; stoodIn: boolean } {
  const own = tier !== null && name in tier ? tier[name] : price[name];
  if (own !== null && own !== undefined) return { usd: fraction(String(own)), stoodIn: false };
  const input = tier !== null && "input" in tier ? tier["input"] : price.input;
  return { usd: fraction(String(input)), stoodIn: true };
}

function expected(vector: Case): CostVector["expected"] {
  const { price, usage } = vector;
  const prompt =
    (usage.input_tokens ?? 0) + (usage.cache_read_tokens ?? 0) + (usage.cache_write_5m_tokens ?? 0) + (usage.cache_write_1h_tokens ?? 0);
  let tier: Tier | null = null;
  for (const candidate of price.above) {
    if (prompt > candidate.prompt_tokens && (tier === null || candidate.prompt_tokens > tier.prompt_tokens)) tier = candidate;
  }
  const flags: string[] = [];
  if (usage.input_tokens === null) flags.push("input_unknown");
  if (usage.output_tokens === null) flags.push("output_unknown");
  let dollars = fraction(price.request);
  for (const [name, field] of CLASSES) {
    const tokens = usage[field];
    if (tokens === null || tokens === 0) continue;
    const { usd, stoodIn } = priceOf(price, tier, name);
    if (stoodIn) flags.push(`${name}_unpriced`);
    dollars = plus(dollars, over(times(usd, { top: BigInt(tokens), bottom: 1n }), 1_000_000n));
  }
  const rate = times(
    { top: BigInt(vector.fx_micro_rub_per_usd), bottom: 1n },
    { top: BigInt(10_000 + vector.markup_bps), bottom: 10_000n },
  );
  const exact = times(dollars, rate);
  let cost = exact.top / exact.bottom + (exact.top % exact.bottom === 0n ? 0n : 1n);
  if (cost > LARGEST) {
    cost = LARGEST;
    flags.push("cost_above_range");
  }
  const pico = times(dollars, { top: 10n ** 12n, bottom: 1n });
  if (pico.bottom !== 1n) throw new Error(`${vector.name}: provider cost is no whole number of pico-USD`);
  return {
    cost_micro_rub: cost.toString(),
    provider_cost_pico_usd: pico.top.toString(),
    flagged: flags.length === 0 ? null : flags.join(","),
  };
}

function priceFor(input: string, output: string, more: Partial<Price> = {}): Price {
  return { input, output, cache_read: null, cache_write_5m: null, cache_write_1h: null, request: "0", above: [], ...more };
}

function usageFor(input: number | null, output: number | null, more: Partial<Tokens> = {}): Tokens {
  return {
    input_tokens: input,
    cache_read_tokens: null,
    cache_write_5m_tokens: null,
    cache_write_1h_tokens: null,
    output_tokens: output,
    reasoning_tokens: null,
    ...more,
  };
}

function priced(name: string, rate: { fx: number; markup: number }, charged: Price, used: Tokens): Case {
  return { name, fx_micro_rub_per_usd: rate.fx, markup_bps: rate.markup, price: charged, usage: used };
}

/** What careless code computes; used only to find cases where it goes wrong. */
function floatCost(vector: Case): number {
  const dollars =
    ((vector.usage.input_tokens ?? 0) * Number(vector.price.input) + (vector.usage.output_tokens ?? 0) * Number(vector.price.output)) / 1e6;
  return Math.ceil(dollars * (vector.fx_micro_rub_per_usd / 1e6) * (1 + vector.markup_bps / 10_000) * 1e6);
}

const FX = [90_000_000, 81_234_500, 100_000_000, 78_910_111, 95_000_000, 1];
const MARKUPS = [1500, 0, 1000, 333, 10_000];
const PRICES: [string, string][] = [
  ["2.50", "10"],
  ["1.25", "10"],
  ["0.15", "0.6"],
  ["3", "15"],
  ["0.1", "0.3"],
  ["0.28", "0.42"],
  ["0.05", "0.08"],
  ["15", "75"],
  ["0.000001", "0.000003"],
];

/** Round prices where a double's ceiling is off by one: exact results that binary fractions overshoot. */
function floatTraps(): Case[] {
  const traps: Case[] = [];
  for (const fx of FX) {
    for (const markup of MARKUPS) {
      for (const [input, output] of PRICES) {
        let found = 0;
        for (let tokens = 1; tokens <= 4000 && found < 1; tokens += 3) {
          const vector = {
            name: "",
            fx_micro_rub_per_usd: fx,
            markup_bps: markup,
            price: priceFor(input, output),
            usage: usageFor(tokens, tokens * 2),
          };
          if (BigInt(floatCost(vector)).toString() === expected(vector).cost_micro_rub) continue;
          found += 1;
          traps.push({
            ...vector,
            name: `float trap: ${tokens} in at ${input}, ${tokens * 2} out at ${output}, fx ${fx}, markup ${markup}`,
          });
        }
      }
    }
  }
  return traps.slice(0, 110);
}

function plainCases(): Case[] {
  const cases: Case[] = [];
  for (const [index, [input, output]] of PRICES.entries()) {
    for (const [inputTokens, outputTokens] of [
      [0, 0],
      [1, 0],
      [0, 1],
      [1000, 500],
      [123_457, 8191],
    ] as const) {
      const fx = FX[index % FX.length] ?? 1;
      const markup = MARKUPS[(index + inputTokens) % MARKUPS.length] ?? 0;
      cases.push(
        priced(
          `plain: ${inputTokens} in at ${input}, ${outputTokens} out at ${output}`,
          { fx, markup },
          priceFor(input, output),
          usageFor(inputTokens, outputTokens),
        ),
      );
    }
  }
  return cases;
}

function cacheCases(): Case[] {
  const cases: Case[] = [];
  const cached = priceFor("3", "15", { cache_read: "0.3", cache_write_5m: "3.75", cache_write_1h: "6" });
  const readOnly = priceFor("1.25", "10", { cache_read: "0.125" });
  for (const fx of [90_000_000, 81_234_500, 77_777_777]) {
    for (const reads of [0, 1, 3000]) {
      for (const writes of [0, 1, 4097]) {
        const tokens = usageFor(1000, 500, {
          cache_read_tokens: reads,
          cache_write_5m_tokens: writes,
          cache_write_1h_tokens: Math.floor(writes / 2),
        });
        cases.push(priced(`caches: ${reads} read, ${writes} written, fx ${fx}`, { fx, markup: 1500 }, cached, tokens));
      }
      cases.push(
        priced(`cache reads only: ${reads}, fx ${fx}`, { fx, markup: 333 }, readOnly, usageFor(17, 9, { cache_read_tokens: reads })),
      );
    }
  }
  cases.push(
    priced(
      "the worked example: 1000 fresh at 2.50, 3000 cached at 0.25, 500 out at 10, fx 81.2345, 15 %: 770713, not 770714",
      { fx: 81_234_500, markup: 1500 },
      priceFor("2.50", "10", { cache_read: "0.25" }),
      usageFor(1000, 500, { cache_read_tokens: 3000 }),
    ),
  );
  return cases;
}

function tierCases(): Case[] {
  const cases: Case[] = [];
  const tiered = priceFor("1.25", "10", {
    cache_read: "0.125",
    cache_write_5m: "1.5",
    above: [
      { prompt_tokens: 200_000, input: "2.5", output: "15", cache_read: "0.25" },
      { prompt_tokens: 500_000, input: "5", cache_read: null },
    ],
  });
  for (const threshold of [200_000, 500_000]) {
    for (const offset of [-1, 0, 1, 1000]) {
      for (const reads of [0, 150_000]) {
        for (const writes of [0, 20_000]) {
          const fresh = threshold + offset - reads - writes;
          cases.push(
            priced(
              `tier: prompt of ${threshold + offset} tokens, ${reads} read from cache, ${writes} written to it`,
              { fx: 90_000_000, markup: 1500 },
              tiered,
              usageFor(fresh, 777, { cache_read_tokens: reads, cache_write_5m_tokens: writes }),
            ),
          );
        }
      }
    }
  }
  return cases;
}

function unknownCases(): Case[] {
  const cases: Case[] = [];
  for (const field of ["cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"] as const) {
    for (const tokens of [0, 1, 999, 123_456]) {
      for (const fx of [90_000_000, 81_234_500]) {
        cases.push(
          priced(
            `no price for ${field}, ${tokens} used, fx ${fx}`,
            { fx, markup: 1500 },
            priceFor("0.15", "0.6"),
            usageFor(10, 20, { [field]: tokens }),
          ),
        );
      }
    }
  }
  for (const [input, output] of [
    [null, null],
    [null, 7],
    [7, null],
    [0, null],
    [null, 0],
  ] as const) {
    for (const fee of ["0", "0.005"]) {
      cases.push(
        priced(
          `unknown tokens: ${input} in, ${output} out, fee ${fee}`,
          { fx: 90_000_000, markup: 1500 },
          priceFor("3", "15", { request: fee }),
          usageFor(input, output),
        ),
      );
    }
  }
  return cases;
}

function feeAndRateCases(): Case[] {
  const cases: Case[] = [];
  for (const fee of ["0.01", "0.000000000001", "1", "0.0025", "35"]) {
    for (const fx of [90_000_000, 1, 999_999_999]) {
      cases.push(
        priced(`fee ${fee} a request, fx ${fx}`, { fx, markup: 1234 }, priceFor("0.25", "2", { request: fee }), usageFor(100, 10)),
      );
    }
  }
  for (const markup of [0, 1, 9999, 10_000, 123_456, 1_000_000]) {
    for (const fx of [1, 89_999_999, 90_000_001, 1_000_000_000_000]) {
      cases.push(priced(`markup ${markup}, fx ${fx}`, { fx, markup }, priceFor("0.59", "0.79"), usageFor(4321, 1234)));
    }
  }
  return cases;
}

/** Around the largest amount a JSON number carries exactly, and where products leave 64 bits. */
function edgeCases(): Case[] {
  const cases: Case[] = [];
  const at = (name: string, fx: number, charged: Price, used: Tokens): void => {
    cases.push(priced(`edge: ${name}`, { fx, markup: 0 }, charged, used));
  };
  for (const tokens of [94_906_265, 94_906_266, 100_000_000]) {
    for (const fx of [94_906_265, 94_906_266, 949_062_651_000])
      at(`${tokens} tokens at 100, fx ${fx}`, fx, priceFor("100", "0"), usageFor(tokens, 0));
  }
  // 9007.199254740991 USD at fx 10^12 is exactly 2^53 - 1 micro-RUB: just reached, just missed, just passed.
  const dollars = "9007.199254740991";
  at("exactly 2^53 - 1", 1_000_000_000_000, priceFor("0", "0", { request: dollars }), usageFor(0, 0));
  at("one above 2^53 - 1", 1_000_000_000_000, priceFor("0", "0", { request: "9007.199254740992" }), usageFor(0, 0));
  at("one below 2^53 - 1", 1_000_000_000_000, priceFor("0", "0", { request: "9007.199254740990" }), usageFor(0, 0));
  at("a fraction below 2^53 - 1 is rounded up to it", 999_999_999_999, priceFor("0.000001", "0", { request: dollars }), usageFor(0, 0));
  at(
    "every class at its largest",
    1_000_000,
    priceFor("10000", "10000", { cache_read: "10000", cache_write_5m: "10000", cache_write_1h: "10000" }),
    usageFor(100_000_000, 100_000_000, {
      cache_read_tokens: 100_000_000,
      cache_write_5m_tokens: 100_000_000,
      cache_write_1h_tokens: 100_000_000,
    }),
  );
  at("one token at the smallest price", 1, priceFor("0.000001", "0.000001"), usageFor(1, 0));
  return cases;
}

/** All vectors, in the file's order. */
export function makeCostVectors(): CostVector[] {
  const cases = [
    ...floatTraps(),
    ...plainCases(),
    ...cacheCases(),
    ...tierCases(),
    ...unknownCases(),
    ...feeAndRateCases(),
    ...edgeCases(),
  ];
  return cases.map((vector) => ({ ...vector, expected: expected(vector) }));
}

const ABOUT =
  "cost = ceil((sum of tokens x price + request fee) x fx x (10000 + markup_bps) / 10^16): prices in USD per million tokens (as pico-USD per token), fee in USD per request, " +
  "fx in micro-RUB per USD, cost in micro-RUB, at most 2^53-1. A tier applies above its prompt_tokens (input + caches), to the whole request. A class without a price costs the input price and is flagged.";

/** The file's text. */
export function costVectorsText(): string {
  const lines = makeCostVectors().map((vector) => `    ${JSON.stringify(vector)}`);
  return `{\n  "about": ${JSON.stringify(ABOUT)},\n  "vectors": [\n${lines.join(",\n")}\n  ]\n}\n`;
}

if (process.argv[1] === import.meta.filename) {
  const file = join(import.meta.dirname, "../test/vectors/cost.json");
  writeFileSync(file, costVectorsText());
  process.stdout.write(`${makeCostVectors().length} vectors written to ${file}\n`);
}
