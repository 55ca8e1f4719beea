/** What vectors are for: the hub's words (Gemini's, the finest set) and those of other formats. */
import { ownMember } from "../../schema/json.ts";
const BY_INPUT_TYPE: Readonly<Record<string, string>> = {
  search_query: "RETRIEVAL_QUERY",
  query: "RETRIEVAL_QUERY",
  search_document: "RETRIEVAL_DOCUMENT",
  document: "RETRIEVAL_DOCUMENT",
  passage: "RETRIEVAL_DOCUMENT",
  classification: "CLASSIFICATION",
  clustering: "CLUSTERING",
};

/** An `input_type` in the hub's words; null for one it has none for. */
export function taskTypeOf(inputType: string): string | null {
  return ownMember(BY_INPUT_TYPE, inputType.toLowerCase()) ?? null;
}

const EXACT_INPUT_TYPES: Readonly<Record<string, string>> = {
  RETRIEVAL_QUERY: "search_query",
  RETRIEVAL_DOCUMENT: "search_document",
  CLASSIFICATION: "classification",
  CLUSTERING: "clustering",
};

/** Purposes without a word of their own: asking is a kind of searching, and comparing is what a cluster does. */
const NEAREST_INPUT_TYPES: Readonly<Record<string, string>> = {
  QUESTION_ANSWERING: "search_query",
  FACT_VERIFICATION: "search_query",
  CODE_RETRIEVAL_QUERY: "search_query",
  SEMANTIC_SIMILARITY: "clustering",
};

/** The `input_type` for a purpose, and whether it says all of it. A purpose nobody named is a document's, the commonest. */
export function inputTypeOf(taskType: string | null): { inputType: string; exact: boolean } {
  const exact = taskType === null ? undefined : ownMember(EXACT_INPUT_TYPES, taskType);
  if (exact !== undefined) return { inputType: exact, exact: true };
  return { inputType: ownMember(NEAREST_INPUT_TYPES, taskType ?? "") ?? "search_document", exact: false };
}
