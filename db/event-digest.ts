/** The digest by which the canonical events of two runs are compared. */
import { createHash } from "node:crypto";

/** SHA-256 of event lines (schema/recording.ts), one after the other. */
export function digestOf(lines: readonly string[]): string {
  const hash = createHash("sha256");
  for (const line of lines) hash.update(line);
  return hash.digest("hex");
}
