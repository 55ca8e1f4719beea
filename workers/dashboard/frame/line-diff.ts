/** Two texts line by line: what stayed, what went, what came. Pure. */

export interface DiffLine {
  kind: "same" | "gone" | "new";
  text: string;
}

/** Above this many lines on either side nothing is compared: the time grows with the product of both. */
const LINES_MAX = 2_000;

/** Lengths of the longest common subsequence of what follows each pair of places. */
function common(before: readonly string[], after: readonly string[]): Uint16Array[] {
  const lengths = Array.from({ length: before.length + 1 }, () => new Uint16Array(after.length + 1));
  for (let left = before.length - 1; left >= 0; left--) {
    const [row, below] = [lengths[left], lengths[left + 1]];
    if (row === undefined || below === undefined) continue;
    for (let right = after.length - 1; right >= 0; right--)
      row[right] = before[left] === after[right] ? (below[right + 1] ?? 0) + 1 : Math.max(below[right] ?? 0, row[right + 1] ?? 0);
  }
  return lengths;
}

/** The shortest way from one text to the other; null when they are too long to compare. */
export function diffLines(beforeText: string, afterText: string): DiffLine[] | null {
  const [before, after] = [beforeText.split("\n"), afterText.split("\n")];
  if (before.length > LINES_MAX || after.length > LINES_MAX) return null;
  const lengths = common(before, after);
  const lines: DiffLine[] = [];
  let [left, right] = [0, 0];
  while (left < before.length || right < after.length) {
    const [old, now] = [before[left], after[right]];
    if (old !== undefined && old === now) {
      lines.push({ kind: "same", text: old });
      left += 1;
      right += 1;
    } else if (now === undefined || (old !== undefined && (lengths[left + 1]?.[right] ?? 0) >= (lengths[left]?.[right + 1] ?? 0))) {
      lines.push({ kind: "gone", text: old ?? "" });
      left += 1;
    } else {
      lines.push({ kind: "new", text: now });
      right += 1;
    }
  }
  return lines;
}

/** Changes with so many lines around them; null stands for lines that are left out. */
export function hunksOf(lines: readonly DiffLine[], around: number): (DiffLine | null)[] {
  const near = new Set<number>();
  for (const [at, line] of lines.entries())
    if (line.kind !== "same") for (let each = at - around; each <= at + around; each++) near.add(each);
  const shown: (DiffLine | null)[] = [];
  for (const [at, line] of lines.entries()) {
    if (near.has(at)) shown.push(line);
    else if (shown.at(-1) !== null) shown.push(null);
  }
  return shown;
}
