/**
 * Model names in prices and key limits may be globs: `*` stands for any run of characters, slashes too; all else is literal.
 * Matched by hand in linear passes, since a regular expression made from a caller's text can be made to backtrack for ever.
 */

/** True when `pattern` matches the whole of `text`. Greedy with one backtrack point: at most pattern × text steps. */
export function globMatches(pattern: string, text: string): boolean {
  let patternAt = 0;
  let textAt = 0;
  let starAt = -1;
  let starTextAt = 0;
  while (textAt < text.length) {
    if (patternAt < pattern.length && pattern[patternAt] === "*") {
      starAt = patternAt;
      starTextAt = textAt;
      patternAt += 1;
    } else if (patternAt < pattern.length && pattern[patternAt] === text[textAt]) {
      patternAt += 1;
      textAt += 1;
    } else if (starAt !== -1) {
      starTextAt += 1;
      textAt = starTextAt;
      patternAt = starAt + 1;
    } else {
      return false;
    }
  }
  while (pattern[patternAt] === "*") patternAt += 1;
  return patternAt === pattern.length;
}

/** The key that stands for `text`: the text itself, else the longest glob that matches (of equals, the first in text order); null when none does. */
export function longestMatch(keys: readonly string[], text: string): string | null {
  let best: string | null = null;
  for (const key of keys) {
    if (key === text) return key;
    if (!key.includes("*") || !globMatches(key, text)) continue;
    if (best === null || key.length > best.length || (key.length === best.length && key < best)) best = key;
  }
  return best;
}
