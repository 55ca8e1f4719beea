/**
 * A function call that comes in pieces (Vertex, `streamFunctionCallArguments`): each piece names its place in the arguments by a JSON path
 * (`$.recipe.steps[0]`) and gives a value, text in several pieces. Values keep their source text.
 */
import { isObject, type JsonObject } from "../../../schema/json.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { elementSlices, RawJson, sliceAt, stringifyWithRaw } from "../json-text.ts";

/** A member name, an index, or a quoted name (`['a b']`). */
const STEP = /\.([^.[\]]+)|\[(\d+)\]|\['([^']*)'\]|\["([^"]*)"\]/g;

type Tree = Map<string, Tree | RawJson | string>;

/** Arguments as far as they have come. Arrays are kept as maps of their indexes, so that pieces may come in any order. */
export interface PartialArguments {
  add(pieces: readonly unknown[], piecesText: string): void;
  /** The object's JSON text. */
  text(): string;
}

export function createPartialArguments(): PartialArguments {
  const root: Tree = new Map();
  return {
    add(pieces, piecesText) {
      const sources = elementSlices(piecesText, []);
      for (const [index, piece] of pieces.entries()) if (isObject(piece)) addPiece(root, piece, sources[index] ?? "");
    },
    text: () => stringifyWithRaw(plain(root)),
  };
}

function stepsOf(path: string): string[] {
  return [...path.matchAll(STEP)].map(([, member, index, single, double]) =>
    index === undefined ? (member ?? single ?? double ?? "") : `#${index}`,
  );
}

function addPiece(root: Tree, piece: JsonObject, source: string): void {
  const steps = stepsOf(typeof piece["jsonPath"] === "string" ? piece["jsonPath"] : "");
  const last = steps.pop();
  if (last === undefined || steps.length >= LIMITS.jsonDepth) return;
  let tree = root;
  for (const step of steps) {
    const known = tree.get(step);
    const next: Tree = known instanceof Map ? known : new Map();
    if (next !== known) tree.set(step, next);
    tree = next;
  }
  const before = tree.get(last);
  if (typeof piece["stringValue"] === "string") {
    tree.set(last, (typeof before === "string" ? before : "") + piece["stringValue"]);
    return;
  }
  const value = "nullValue" in piece ? "null" : (sliceAt(source, ["numberValue"]) ?? sliceAt(source, ["boolValue"]));
  if (value !== null) tree.set(last, new RawJson(value));
}

/** Steps are `#0` for an index and the bare name for a member. */
function plain(tree: Tree): unknown {
  const entries = [...tree].map(([step, value]) => [step, value instanceof Map ? plain(value) : value] as const);
  if (entries.length === 0 || !entries.every(([step]) => /^#\d+$/.test(step))) return Object.fromEntries(entries);
  return entries.toSorted(([one], [other]) => Number(one.slice(1)) - Number(other.slice(1))).map(([, value]) => value);
}
