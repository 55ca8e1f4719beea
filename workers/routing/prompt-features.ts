/**
 * Text as the small linear model sees it: hashed pieces of words, and words with their neighbour. One pass over at most a few thousand
 * characters, so it takes a fraction of a millisecond; the trainer (scripts/train-router.ts) uses this very code.
 */

/** Of a longer text its beginning and its end are read: that is where what is asked for stands. */
const HEAD_CHARACTERS = 1_200;
const TAIL_CHARACTERS = 600;
/** Pieces of words have 3 to so many characters, with a space for each border of the word. */
const PIECE_MAX = 5;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
/** Keep words, pairs of words and pieces of words apart, so that none counts as another. */
const WORD_SALT = 0x9e3779b9;
const PAIR_SALT = 0x7f4a7c15;

/** Buckets that occur, each once, with their weight; the weights together have length 1. */
export interface PromptFeatures {
  buckets: Int32Array;
  values: Float32Array;
}

/** Latin letters that Cyrillic and Greek ones are drawn like; mapped where a word mixes scripts, which honest words do not. */
const LOOKALIKES: Readonly<Record<string, string>> = {
  а: "a",
  е: "e",
  о: "o",
  р: "p",
  с: "c",
  у: "y",
  х: "x",
  і: "i",
  ѕ: "s",
  ј: "j",
  һ: "h",
  ԁ: "d",
  ɡ: "g",
  α: "a",
  ο: "o",
  ν: "v",
  ι: "i",
  ρ: "p",
};

/** The text without what hides words from a reader of characters: forms that look alike, invisible characters, letters of another script. */
export function readableText(text: string): string {
  const plain = text
    .normalize("NFKC")
    .replaceAll(/\p{Cf}/gu, "")
    .toLowerCase();
  if (!/[\u0370-\u05ff]/.test(plain)) return plain;
  return plain.replaceAll(/[\p{L}\p{M}]+/gu, (word) =>
    /[a-z]/.test(word) && /[\u0370-\u05ff]/.test(word) ? word.replaceAll(/./gu, (letter) => LOOKALIKES[letter] ?? letter) : word,
  );
}

/** The beginning and the end of a long text; all of a short one. */
export function readablePart(text: string): string {
  if (text.length <= HEAD_CHARACTERS + TAIL_CHARACTERS) return readableText(text);
  return readableText(`${text.slice(0, HEAD_CHARACTERS)} ${text.slice(-TAIL_CHARACTERS)}`);
}

/** 0 for space, 1 for a part of a word, 2 for a sign that stands alone. */
function kindOf(code: number): 0 | 1 | 2 {
  if (code > 127) return code === 160 || code === 0x3000 ? 0 : 1;
  if (code <= 32) return 0;
  return (code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code === 95 ? 1 : 2;
}

/** Where the word that begins at `start` ends. */
function endOfWord(text: string, start: number): number {
  let end = start + 1;
  while (end < text.length && kindOf(text.charCodeAt(end)) === 1) end += 1;
  return end;
}

/** Every digit is the same digit: it matters that a number is there, not which. */
function folded(code: number): number {
  return code >= 48 && code <= 57 ? 48 : code;
}

/**
 * The bucket of a hash: its bits spread first, since its last ones alone say little, then as an unsigned number modulo the count. Halved
 * and put together again, so that every number on the way is a small integer: that is several times as fast.
 */
function bucketOf(hash: number, bucketCount: number): number {
  const once = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  const mixed = once ^ (once >>> 12);
  return (((mixed >>> 1) % bucketCount) * 2 + (mixed & 1)) % bucketCount;
}

/** The features of a text in a model with so many buckets. */
export function promptFeatures(text: string, bucketCount: number): PromptFeatures {
  const counts = new Uint16Array(bucketCount);
  const seen: number[] = [];
  const count = (hash: number): void => {
    const bucket = bucketOf(hash, bucketCount);
    if (counts[bucket] === 0) seen.push(bucket);
    counts[bucket] = Math.min(65_535, (counts[bucket] ?? 0) + 1);
  };
  const part = readablePart(text);
  let before = 0;
  for (let start = 0; start < part.length;) {
    const kind = kindOf(part.charCodeAt(start));
    const end = kind === 1 ? endOfWord(part, start) : start + 1;
    if (kind !== 0) {
      const word = hashOf(part, start, end);
      count(word ^ WORD_SALT);
      if (before !== 0) count((Math.imul(before, 31) + word) ^ PAIR_SALT);
      before = word;
      if (end - start > 1) countPieces(part, start, end, count);
    }
    start = end;
  }
  return weighted(counts, seen);
}

function hashOf(text: string, start: number, end: number): number {
  let hash = FNV_OFFSET;
  for (let index = start; index < end; index++) hash = Math.imul(hash ^ folded(text.charCodeAt(index)), FNV_PRIME);
  return hash;
}

/** Pieces of the word from `start` to `end` with a space before and after it. */
function countPieces(text: string, start: number, end: number, count: (hash: number) => void): void {
  for (let from = start - 1; from <= end - 2; from++) {
    let hash = FNV_OFFSET;
    for (let length = 1; length <= PIECE_MAX && from + length <= end + 1; length++) {
      const at = from + length - 1;
      const code = at < start || at >= end ? 32 : folded(text.charCodeAt(at));
      hash = Math.imul(hash ^ code, FNV_PRIME);
      if (length >= 3) count(hash);
    }
  }
}

/** What occurs often counts more, but far less than in proportion. */
function weighted(counts: Uint16Array, seen: readonly number[]): PromptFeatures {
  const buckets = Int32Array.from(seen);
  const values = new Float32Array(seen.length);
  let squares = 0;
  for (let index = 0; index < seen.length; index++) {
    const bucket = seen[index] ?? 0;
    const count = counts[bucket] ?? 1;
    const value = count === 1 ? 1 : 1 + Math.log(count);
    values[index] = value;
    squares += value * value;
  }
  const scale = squares === 0 ? 0 : 1 / Math.sqrt(squares);
  for (let index = 0; index < values.length; index++) values[index] = (values[index] ?? 0) * scale;
  return { buckets, values };
}
