/** Finds what is known of a model: the facts of its own row, or of the glob that stands for it. */
import { longestMatch } from "../../schema/glob.ts";
import type { ModelDocument, ModelFacts } from "../../schema/model.ts";

/** Facts of a slug; null when nothing is known of it. A glob's facts are about any model of a kind, so its name is not the model's. */
export function modelFacts(document: ModelDocument, slug: string): ModelFacts | null {
  const key = longestMatch(Object.keys(document.models), slug);
  const facts = key === null ? undefined : document.models[key];
  if (facts === undefined) return null;
  return key === slug ? facts : { ...facts, name: slug };
}
