/** Chance from a seed: the only source of it in the simulator, so that a seed is a whole run. */

export interface Random {
  /** An integer from 0 to `limit - 1`; 0 for a limit below 1. */
  below: (limit: number) => number;
  /** An integer from `from` to `to`, both included. */
  between: (from: number, to: number) => number;
  /** True once in `1 / probability` times. */
  chance: (probability: number) => boolean;
  pick: <T>(choices: readonly T[]) => T;
}

/** FNV-1a of the parts as text: neighbouring seeds begin far apart. */
function mixed(parts: readonly number[]): number {
  let hash = 0x811c9dc5;
  for (const character of parts.join("/")) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193) >>> 0;
  return hash;
}

/** The generator `sfc32`, seeded by these numbers. */
export function randomOf(...seed: number[]): Random {
  let [a, b, c, counter] = [mixed([...seed, 1]), mixed([...seed, 2]), mixed([...seed, 3]), 1];
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return (sum >>> 0) / 4_294_967_296;
  };
  for (let round = 0; round < 12; round++) next();
  const below = (limit: number): number => (limit < 1 ? 0 : Math.floor(next() * limit));
  return {
    below,
    between: (from, to) => from + below(to - from + 1),
    chance: (probability) => next() < probability,
    pick: (choices) => {
      const chosen = choices[below(choices.length)];
      if (chosen === undefined) throw new Error("nothing to choose from");
      return chosen;
    },
  };
}
