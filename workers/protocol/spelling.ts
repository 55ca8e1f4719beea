/** Names and ids for wires with a small alphabet (`^[a-zA-Z0-9_-]+$`). */

/**
 * Makes a spelling for one request: the same text always gives the same spelling, and two texts never share one. Texts that fit stay
 * as they are; other letters become `_` and their code. What was named first keeps its spelling, so a growing conversation does too.
 */
export function createSpelling(charactersMax: number): (text: string) => string {
  const spellings = new Map<string, string>();
  const taken = new Set<string>();
  return (text) => {
    const known = spellings.get(text);
    if (known !== undefined) return known;
    const plain = text.replaceAll(/[^a-zA-Z0-9_-]/gu, (letter) => `_${(letter.codePointAt(0) ?? 0).toString(16)}_`) || "_";
    let spelling = plain.slice(0, charactersMax);
    for (let attempt = 2; taken.has(spelling); attempt++) spelling = `${plain.slice(0, charactersMax - 8)}_${attempt}`;
    spellings.set(text, spelling);
    taken.add(spelling);
    return spelling;
  };
}
