/** Names and ids for wires with a small alphabet (`^[a-zA-Z0-9_-]+$`). */

/**
 * Makes a spelling for one request: the same text always gives the same spelling, and two texts never share one. Texts that fit stay
 * as they are; other letters become `_` and their code. What was named first keeps its spelling, so a growing conversation does too.
 */
export function createSpelling(charactersMax: number): (text: string) => string {
  const spellings = new Map<string, string>();
  const taken = new Set<string>();
  /** The number to try next after a beginning, so that many texts with one beginning do not all try the same ones. */
  const attempts = new Map<string, number>();
  return (text) => {
    const known = spellings.get(text);
    if (known !== undefined) return known;
    const plain = text.replaceAll(/[^a-zA-Z0-9_-]/gu, (letter) => `_${(letter.codePointAt(0) ?? 0).toString(16)}_`) || "_";
    let spelling = plain.slice(0, charactersMax);
    const beginning = plain.slice(0, charactersMax - 8);
    let attempt = attempts.get(beginning) ?? 2;
    for (; taken.has(spelling); attempt++) spelling = `${beginning}_${attempt}`;
    attempts.set(beginning, attempt);
    spellings.set(text, spelling);
    taken.add(spelling);
    return spelling;
  };
}
