/** What happens to a request whose usage may not be known: each row is a way other gateways lost or took money. */
import { describe, expect, test } from "vitest";
import { UNKNOWN_USAGE, type Usage } from "../../schema/usage.ts";
import { boundInputTokens, estimateInputTokens, estimateOutputTokens } from "../../workers/cost/estimate.ts";
import { estimateUsage, type UsageEvidence } from "../../workers/cost/unknown-usage.ts";

const measure = { text_bytes: 4000, blocks: 3, images: 0, file_bytes: 0, files_unsized: 0 };
const reported: Usage = { ...UNKNOWN_USAGE, input_tokens: 900, output_tokens: 50 };

function evidence(facts: Partial<UsageEvidence>): UsageEvidence {
  return {
    phase: "content",
    meterUsage: UNKNOWN_USAGE,
    usageFinal: false,
    failed: false,
    inputMeasure: measure,
    outputCharacters: 0,
    ...facts,
  };
}

describe("a request is released", () => {
  test.each([
    ["when nothing was dispatched", { phase: "not-dispatched" }, "not_dispatched"],
    ["when the upstream never answered", { phase: "no-answer" }, "no_answer"],
    ["when the upstream refused, whatever text its error had", { phase: "refused", outputCharacters: 5000 }, "refused"],
    ["when the upstream refused after a placeholder of usage", { phase: "refused", meterUsage: reported }, "refused"],
    ["when it was answered but nothing came", { phase: "no-content" }, "no_content"],
    ["when only a placeholder of usage came", { phase: "no-content", meterUsage: { ...reported, output_tokens: 1 } }, "no_content"],
    [
      "when an empty answer reports no usage at all but zeros",
      { phase: "no-content", usageFinal: true, meterUsage: { ...UNKNOWN_USAGE, input_tokens: 0, output_tokens: 0 } },
      "no_content",
    ],
  ] as const)("%s", (_name, facts, reason) => {
    expect(estimateUsage(evidence(facts))).toEqual({ kind: "release", reason });
  });
});

describe("a request is settled", () => {
  test("at the provider's own numbers when it reported them", () => {
    expect(estimateUsage(evidence({ usageFinal: true, meterUsage: reported, outputCharacters: 90_000 }))).toEqual({
      kind: "settle",
      usage: reported,
      source: "provider",
      flagged: null,
    });
  });

  test("at the provider's own numbers, labelled cut, when the stream broke after them", () => {
    expect(estimateUsage(evidence({ usageFinal: true, meterUsage: reported, failed: true }))).toMatchObject({
      usage: reported,
      source: "cut",
    });
  });

  test("for an empty answer whose prompt was reported", () => {
    const used = { ...UNKNOWN_USAGE, input_tokens: 900, output_tokens: 0 };
    expect(estimateUsage(evidence({ phase: "no-content", usageFinal: true, meterUsage: used }))).toMatchObject({
      usage: used,
      source: "provider",
    });
  });

  test("at the exact prompt and the counted output when the client left before the final report; the placeholder is no report", () => {
    const placeholder = { ...UNKNOWN_USAGE, input_tokens: 900, cache_read_tokens: 300, output_tokens: 1 };
    expect(estimateUsage(evidence({ meterUsage: placeholder, outputCharacters: 3000 }))).toEqual({
      kind: "settle",
      usage: { ...placeholder, output_tokens: 1000 },
      source: "estimated",
      flagged: null,
    });
  });

  test("at an estimate of both sides when nothing was reported, never at zero and never at the hold's bound", () => {
    const decision = estimateUsage(evidence({ outputCharacters: 10 }));
    expect(decision).toMatchObject({ kind: "settle", source: "estimated", usage: { input_tokens: 1012, output_tokens: 4 } });
    expect(1012).toBeLessThan(boundInputTokens(measure));
  });

  test("at an estimate, and flagged, when the report is all zeros or denies output that was seen", () => {
    const zeros = { ...UNKNOWN_USAGE, input_tokens: 0, output_tokens: 0 };
    expect(estimateUsage(evidence({ usageFinal: true, meterUsage: zeros, outputCharacters: 30 }))).toMatchObject({
      source: "estimated",
      flagged: "usage_all_zero",
      usage: { output_tokens: 10 },
    });
    const denies = { ...UNKNOWN_USAGE, input_tokens: 900, output_tokens: 0 };
    expect(estimateUsage(evidence({ usageFinal: true, meterUsage: denies, outputCharacters: 30 }))).toMatchObject({
      source: "estimated",
      flagged: "output_zero_but_seen",
      usage: { input_tokens: 900, output_tokens: 10 },
    });
  });

  test("at zero fresh input when the report says the whole prompt came from the cache", () => {
    const used = { ...UNKNOWN_USAGE, input_tokens: 0, cache_read_tokens: 900, output_tokens: 5 };
    expect(estimateUsage(evidence({ usageFinal: true, meterUsage: used, outputCharacters: 20 }))).toMatchObject({
      usage: used,
      source: "provider",
    });
  });
});

describe("estimates", () => {
  test("the bound is at least one token a byte and above the likely count for every kind of content", () => {
    const kinds = [{ text_bytes: 100 }, { blocks: 5 }, { images: 2 }, { file_bytes: 1000 }, { files_unsized: 1 }];
    for (const kind of kinds) {
      const prompt = { text_bytes: 0, blocks: 0, images: 0, file_bytes: 0, files_unsized: 0, ...kind };
      expect(boundInputTokens(prompt)).toBeGreaterThanOrEqual(estimateInputTokens(prompt));
      expect(boundInputTokens(prompt)).toBeGreaterThanOrEqual(prompt.text_bytes);
    }
  });

  test("output that was seen is never estimated at nothing, and no output is", () => {
    expect(estimateOutputTokens(1)).toBe(1);
    expect(estimateOutputTokens(0)).toBe(0);
  });
});
