/** What an official SDK makes of an answer: the common form its readings are compared in. */
import type { Facts } from "../facts.ts";

export interface SdkChoice {
  text: string;
  refusal: string;
  reasoning: string;
  calls: { id: string; name: string; args: string }[];
  /** The wire's own word, with its reason after a colon where the wire tells one. */
  finish: string | null;
}

export interface SdkReading {
  choices: SdkChoice[];
  /** The whole prompt, caches included, and the output; null where the wire shows none. */
  prompt: number | null;
  output: number | null;
}

/** What an SDK throws at an error, in the common form. */
export interface SdkFailure {
  status: number | undefined;
  message: string;
  /** The word its callers branch on, where the SDK has one. */
  code: string | null;
  retryAfter: string | null;
}

/** One client protocol's official SDK, fed with bytes in place of the network. */
export interface Sdk {
  readStream(bytes: Uint8Array): Promise<SdkReading>;
  readWhole(body: string): Promise<SdkReading>;
  /** The error that it throws at an answer of this status. Null: it throws none. */
  readError(status: number, headers: Record<string, string>, body: string): Promise<SdkFailure | null>;
  /** The wire's word for a finish of these facts. */
  words: Readonly<Partial<Record<string, string>>>;
}

export function emptyChoice(): SdkChoice {
  return { text: "", refusal: "", reasoning: "", calls: [], finish: null };
}

/** The choice at an index of a sparse list. */
export function choiceAt(choices: SdkChoice[], index: number): SdkChoice {
  return (choices[index] ??= emptyChoice());
}

/** Arguments by value, since SDKs parse the objects of some wires. */
export function sameArguments(args: string): string {
  try {
    return JSON.stringify(JSON.parse(args));
  } catch {
    return args;
  }
}

/** What an SDK has to read out of an answer of these facts. */
export function expectedReading(facts: Facts, words: Sdk["words"]): SdkReading {
  const { usage } = facts;
  const choices: SdkChoice[] = [];
  for (const { index, said, finish } of facts.choices) {
    const textOf = (kind: string): string =>
      said
        .filter((each) => each.kind === kind)
        .map(({ text }) => text)
        .join("");
    choices[index] = {
      text: textOf("text"),
      refusal: textOf("refusal"),
      reasoning: textOf("reasoning"),
      calls: said.filter(({ kind }) => kind === "call").map(({ id, name, text }) => ({ id, name, args: sameArguments(text) })),
      finish: words[finish ?? ""] ?? null,
    };
  }
  const prompt = usage === null || usage.input === null ? null : usage.input + usage.cacheRead + usage.write5m + usage.write1h;
  return { choices, prompt, output: usage?.output ?? null };
}

/** A stub of `fetch` that answers with what it is told to. */
export function createStub(): { fetch: () => Promise<Response>; answer: (response: () => Response) => void } {
  let next: (() => Response) | null = null;
  return {
    fetch() {
      if (next === null) throw new Error("no answer was set");
      return Promise.resolve(next());
    },
    answer(response) {
      next = response;
    },
  };
}

/** Bytes as a response's body. */
export function bodyOf(bytes: Uint8Array): ArrayBuffer {
  const copy = new ArrayBuffer(bytes.length);
  new Uint8Array(copy).set(bytes);
  return copy;
}

export const JSON_HEADERS = { "content-type": "application/json" };
