/**
 * The plain reading of a body: JSON.parse and loops, sharing nothing with the code under test. It knows no dialect beyond what
 * the recordings need, and is what a careful person would read out of the body by eye.
 */
export interface Reading {
  /** By choice, joined: what the user would see. */
  texts: string[];
  reasoning: string;
  calls: { id: string; name: string; args: string }[];
  /** The provider's own word; null when none came. */
  finish: string | null;
  /** Prompt tokens with all cache classes, and output tokens, as the wire counts them. */
  promptTokens: number | null;
  outputTokens: number | null;
  /** An error stands in the body. */
  error: boolean;
  /** The wire's terminator came. */
  terminated: boolean;
}

// Recorded JSON of any shape; only this file and only tests read it so.
// oxlint-disable-next-line typescript/no-explicit-any -- a reading by eye has no schema
export type Json = any;

export function payloads(text: string): { event: string | null; data: string }[] {
  return text
    .split(/\r?\n\r?\n/)
    .map((block) => {
      const lines = block.split(/\r?\n/);
      const event =
        lines
          .find((line) => line.startsWith("event:"))
          ?.slice(6)
          .trim() ?? null;
      const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart());
      return { event, data: data.join("\n") };
    })
    .filter(({ data }) => data !== "");
}

export function emptyReading(): Reading {
  return { texts: [], reasoning: "", calls: [], finish: null, promptTokens: null, outputTokens: null, error: false, terminated: false };
}

/** The JSON of every event that holds some. */
export function parseAll(text: string): Json[] {
  return payloads(text).flatMap(({ data }) => {
    try {
      return [JSON.parse(data)];
    } catch {
      return [];
    }
  });
}

/** The plain reading of one wire format. `provider` as the index of the recordings names it. */
export interface PlainReader {
  stream(bytes: Buffer, provider: string): Reading;
  whole(text: string, provider: string): Reading;
}
