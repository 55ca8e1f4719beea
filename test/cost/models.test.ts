/** The facts of models and the price catalogue: both hold to their schemas, and to each other. */
import { describe, expect, test } from "vitest";
import { longestMatch } from "../../schema/glob.ts";
import { type ModelDocument, modelDocumentSchema } from "../../schema/model.ts";
import { priceDocumentSchema } from "../../schema/price.ts";
import catalogue from "../../workers/cost/catalogue.json" with { type: "json" };
import { modelFacts } from "../../workers/cost/model-facts.ts";
import models from "../../workers/cost/models.json" with { type: "json" };
import { PROVIDERS } from "../../workers/provider/index.ts";

const facts = modelDocumentSchema.parse(models);
const prices = priceDocumentSchema.parse(catalogue);
const keys = Object.keys(facts.models);

describe("the bundled model documents", () => {
  test("are dated, and every source says what it rests on", () => {
    expect(facts.version).toMatch(/^\d{4}-\d{2}-\d{2}$/);
    expect(prices.version).toMatch(/^\d{4}-\d{2}-\d{2}$/);
    for (const [id, source] of Object.entries(facts.sources)) {
      expect(source.date <= facts.version, `${id} is dated after the document`).toBe(true);
      // A page or a data set that was read has an address; what was written from memory must not pretend to one.
      expect(source.url !== null, id).toBe(source.basis === "page" || source.basis === "dataset");
    }
  });

  test("every priced model has facts with a source, its own or those of a glob: add a row to workers/cost/models.json", () => {
    expect(Object.keys(prices.models).filter((slug) => modelFacts(facts, slug) === null)).toEqual([]);
  });

  test("every row of facts is about a priced model, or is a glob", () => {
    expect(keys.filter((key) => !key.includes("*") && longestMatch(Object.keys(prices.models), key) === null)).toEqual([]);
  });

  test("every provider has priced models, and facts for any other model it may have", () => {
    for (const id of Object.keys(PROVIDERS)) {
      expect(
        Object.keys(prices.models).some((slug) => slug.startsWith(`${id}/`)),
        `no price for ${id}`,
      ).toBe(true);
      expect(modelFacts(facts, `${id}/some-model`), id).not.toBeNull();
    }
  });

  test("a whole provider is priced by one glob only where every price of it is zero", () => {
    const charged = Object.keys(PROVIDERS).filter((id) => {
      const price = prices.models[`${id}/*`];
      return price !== undefined && [price.input, price.output, price.request].some((text) => text !== "0");
    });
    expect(charged).toEqual([]);
  });

  test("an embedding gives embeddings and nothing else, and costs nothing for output", () => {
    const embeddings = Object.keys(prices.models).filter((slug) => /embed/i.test(slug));
    expect(embeddings.length).toBeGreaterThan(3);
    for (const slug of embeddings) {
      expect([slug, modelFacts(facts, slug)?.output, prices.models[slug]?.output]).toEqual([slug, ["embedding"], "0"]);
    }
  });
});

describe("modelFacts()", () => {
  const glob = facts.models["openai/*"];
  if (glob === undefined) throw new Error("no facts for any other model");
  const document: ModelDocument = {
    ...facts,
    models: { "a/*": glob, "a/b-*": { ...glob, tools: true }, "a/b-1": { ...glob, name: "B 1" } },
  };

  test("takes a model's own row before any glob, and the longest glob before others", () => {
    expect(modelFacts(document, "a/b-1")).toMatchObject({ name: "B 1", tools: null });
    expect(modelFacts(document, "a/b-2")).toMatchObject({ name: "a/b-2", tools: true });
    expect(modelFacts(document, "a/c")).toMatchObject({ name: "a/c", tools: null });
  });

  test("knows nothing of a model no row stands for", () => {
    expect(modelFacts(document, "b/c")).toBeNull();
  });
});

test("a row that names an unlisted source is refused", () => {
  const [first] = Object.values(facts.models);
  expect(modelDocumentSchema.safeParse({ ...facts, models: { "a/b": { ...first, sources: ["hearsay"] } } }).success).toBe(false);
});
