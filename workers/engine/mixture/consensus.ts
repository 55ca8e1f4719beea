/**
 * Whether proposals already agree, so that nothing is left to aggregate. Only short answers whose sameness can be told for certain count: a
 * choice's letter, a number, JSON. Prose never does, since agreement of prose is a judgement.
 */
import { isObject, parseJson } from "../../../schema/json.ts";
import { LIMITS } from "../../../schema/limits.ts";

const CHOICE = /^(?:the\s+)?(?:answer(?:\s+is)?\s*:?\s*)?[("'*]*([a-j])[)"'*.:]*$/i;
const NUMBER = /^(?:the\s+)?(?:answer(?:\s+is)?\s*:?\s*)?\$?([+-]?\d[\d,]*(?:\.\d+)?)\.?$/i;

/** The answer in the one form that equal answers have; null when it is none of those that can be compared. */
export function comparable(text: string): string | null {
  const trimmed = text.trim();
  if (trimmed === "" || trimmed.length > LIMITS.consensusCharacters) return null;
  const choice = CHOICE.exec(trimmed)?.[1];
  if (choice !== undefined) return `choice ${choice.toUpperCase()}`;
  const number = NUMBER.exec(trimmed)?.[1];
  if (number !== undefined) return `number ${plainNumber(number)}`;
  if (!/^[[{]/.test(trimmed)) return null;
  const json = parseJson(trimmed);
  return json.ok ? `json ${JSON.stringify(ordered(json.value))}` : null;
}

/** `+1,200.50` → `1200.5`: digits as text, so that none is lost. */
function plainNumber(written: string): string {
  const [whole = "", fraction = ""] = written.replaceAll(",", "").split(".");
  const sign = whole.startsWith("-") ? "-" : "";
  const digits = whole.replace(/^[+-]/, "").replace(/^0+(?=\d)/, "");
  const rest = fraction.replace(/0+$/, "");
  const plain = rest === "" ? digits : `${digits}.${rest}`;
  return plain === "0" ? "0" : sign + plain;
}

/** The same JSON with the members of every object in one order. */
function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .toSorted()
      .map((key) => [key, ordered(value[key])]),
  );
}

/** True when at least two answered and all of them said the same. One who dissents is heard by the aggregator. */
export function agree(texts: readonly string[]): boolean {
  const forms = texts.map(comparable);
  return forms.length > 1 && forms[0] !== null && forms.every((form) => form === forms[0]);
}
