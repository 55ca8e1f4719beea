/**
 * What the offline provider can be told to do wrong, after an `@` in the model name or in the header `x-offline`, separated by commas:
 *
 * | command | effect |
 * |---|---|
 * | `ttft=ms` `delay=ms` | wait before the first byte; between events |
 * | `chunks=n` `tokens=n` | the answer's text in n deltas; n tokens long |
 * | `cut=k` `end=k` `stall=k` | after k events: destroy the socket; end the body without its terminator; send nothing more |
 * | `hang` `refuse` `endless` | accept and never answer; destroy at once; never stop until the caller leaves |
 * | `uncapped` | say all there is to say, whatever cap was asked for |
 * | `status=n` `retry_after=s` | an error body of that status in the provider's own shape |
 * | `flaky=n` | the first n calls of one gateway request fail with 503, the next one is answered |
 * | `html` `garbage` `error200` | an HTML page; something that is no JSON; an error body with HTTP 200 |
 * | `error_at=k` | the provider's own error inside the stream, after k events |
 * | `nousage` `usage_zero` `usage_absurd` | no usage; all zeros; impossible numbers |
 * | `split=n` `crlf` `bigline=n` | pieces of n bytes; CRLF line ends; one event with n bytes of text |
 * | `echo` `says=text` `refusal` | say the whole prompt; that text; a sentence, with the provider's own word for a refusal |
 * | `utf8` `empty` `nodone` `finish_twice` | CJK, emoji and Cyrillic; no content; no terminator; two finish chunks |
 * | `abort_bills` | an abort is billed in full all the same (the invoice says so) |
 * | `replay=file` | that recorded body, relative to the recordings folder |
 */
export interface Commands {
  ttft: number;
  delay: number;
  chunks: number | null;
  tokens: number | null;
  cut: number | null;
  end: number | null;
  stall: number | null;
  errorAt: number | null;
  status: number | null;
  flaky: number;
  retryAfter: number | null;
  split: number | null;
  bigline: number;
  says: string | null;
  replay: string | null;
  flags: ReadonlySet<string>;
}

const FLAGS = [
  "hang",
  "refuse",
  "endless",
  "uncapped",
  "html",
  "garbage",
  "error200",
  "nousage",
  "usage_zero",
  "usage_absurd",
  "crlf",
  "echo",
  "refusal",
  "utf8",
  "empty",
  "nodone",
  "finish_twice",
  "abort_bills",
];

/** Reads the commands of a model name and of a header. Unknown words are ignored, so that a typo is seen as a normal answer. */
export function parseCommands(model: string, header: string | undefined): Commands {
  const at = model.indexOf("@");
  const words = [...(at === -1 ? "" : model.slice(at + 1)).split(","), ...(header ?? "").split(",")].map((word) => word.trim());
  const values = new Map(
    words
      .filter((word) => word.includes("="))
      .map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)] as const),
  );
  const number = (name: string): number | null => (values.has(name) ? Number(values.get(name)) : null);
  return {
    ttft: number("ttft") ?? 0,
    delay: number("delay") ?? 0,
    chunks: number("chunks"),
    tokens: number("tokens"),
    cut: number("cut"),
    end: number("end"),
    stall: number("stall"),
    errorAt: number("error_at"),
    status: number("status"),
    flaky: number("flaky") ?? 0,
    retryAfter: number("retry_after"),
    split: number("split"),
    bigline: number("bigline") ?? 0,
    says: values.get("says") ?? null,
    replay: values.get("replay") ?? null,
    flags: new Set(words.filter((word) => FLAGS.includes(word))),
  };
}
