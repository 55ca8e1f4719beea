/**
 * What is wrong with a caller's body before any field of it is read: more values than a request may hold, or a member that is given twice
 * where two readers of it could disagree. This gateway, like most, counts the last one; a provider that counts the first would be paid for
 * another model, or for more tokens, than was held for.
 */
import { endOfString, isObject, type JsonObject } from "../../schema/json.ts";
import { memberNames } from "../../schema/json-slice.ts";
import { LIMITS } from "../../schema/limits.ts";

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const OPEN_ARRAY = 91;
const CLOSE_ARRAY = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

export interface BodyFault {
  /** The dotted path of the member at fault; null where the body as a whole is. */
  path: string | null;
  message: string;
}

/** The fault of a body that parsed as `value`; null where there is none. Members are looked at in the body itself and in the objects right inside it. */
export function faultOfShape(text: string, value: JsonObject): BodyFault | null {
  const { values, members, innerMembers } = countsOf(text);
  if (values > LIMITS.jsonValuesPerRequest) return { path: null, message: `it holds more than ${LIMITS.jsonValuesPerRequest} values` };
  if (members > LIMITS.fieldsPerRequest || innerMembers > LIMITS.innerFieldsPerRequest)
    return { path: null, message: `it holds more than ${LIMITS.fieldsPerRequest} fields, or ${LIMITS.innerFieldsPerRequest} inside them` };
  if (members !== Object.keys(value).length) return twice(text, []);
  const inner = Object.entries(value).filter(([, member]) => isObject(member));
  const innerKeys = inner.reduce((sum, [, member]) => sum + (isObject(member) ? Object.keys(member).length : 0), 0);
  if (innerMembers === innerKeys) return null;
  for (const [name] of inner) {
    const fault = twice(text, [name]);
    if (fault !== null) return fault;
  }
  return null;
}

/** The member that an object of the body has twice. */
function twice(text: string, path: readonly string[]): BodyFault | null {
  const seen = new Set<string>();
  for (const name of memberNames(text, path)) {
    if (seen.has(name)) return { path: [...path, name].join("."), message: "is given twice" };
    seen.add(name);
  }
  return null;
}

interface Counts {
  /** Members, elements and containers, about: one for each comma and each opening bracket. */
  values: number;
  /** Members of the outermost object. */
  members: number;
  /** Members of the objects that are its members. */
  innerMembers: number;
}

/** One pass over the structure; strings are skipped whole. */
function countsOf(text: string): Counts {
  const counts: Counts = { values: 1, members: 0, innerMembers: 0 };
  let depth = 0;
  let isInnerObject = false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === QUOTE) index = endOfString(text, index);
    else if (code === COMMA) counts.values += 1;
    else if (code === COLON) {
      if (depth === 1) counts.members += 1;
      else if (depth === 2 && isInnerObject) counts.innerMembers += 1;
    } else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      depth += 1;
      counts.values += 1;
      if (depth === 2) isInnerObject = code === OPEN_OBJECT;
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) depth -= 1;
  }
  return counts;
}
