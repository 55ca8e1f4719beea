/** Reads a caller's own stream of this wire for the answer it comes to: the response object that its terminal event repeats. */
import type { Frame } from "../protocol.ts";
import { parseJson } from "../../../schema/json.ts";
import { setMember, sliceAt } from "../json-text.ts";
import { createSseFramer, renderSseFrame } from "../sse.ts";

const TERMINAL = new Set(['"response.completed"', '"response.incomplete"', '"response.failed"']);
/** Events that bring a response object along. */
const WHOLE = new Set([...TERMINAL, '"response.created"', '"response.in_progress"', '"response.queued"']);

export interface AnswerCollector {
  see(bytes: Uint8Array): void;
  /** JSON text of the response object; null when no terminal event came, or the answer is larger than is kept. */
  response(): string | null;
  /** Finished items so far, as JSON texts. */
  items(): string[];
}

/** `limitBytes` bounds what is remembered, in characters of text. */
export function createAnswerCollector(limitBytes: number): AnswerCollector {
  const framer = createSseFramer();
  const items = new Map<number, string>();
  let size = 0;
  let whole: string | null = null;
  const read = ({ data }: Frame): void => {
    if (data === null || size > limitBytes) return;
    if (data.includes('"response.output_item.done"')) {
      const item = sliceAt(data, ["type"]) === '"response.output_item.done"' ? sliceAt(data, ["item"]) : null;
      if (item === null) return;
      size += item.length;
      items.set(Number(sliceAt(data, ["output_index"]) ?? items.size), item);
    } else if (TERMINAL.has(typeOf(data))) {
      whole = sliceAt(data, ["response"]);
      size += whole?.length ?? 0;
    }
  };
  const listed = (): string[] => [...items].toSorted(([a], [b]) => a - b).map(([, item]) => item);
  return {
    see: (bytes) => framer.push(bytes).forEach(read),
    response() {
      // A last event without its blank line.
      framer.end().forEach(read);
      if (whole === null || size > limitBytes) return null;
      const output = sliceAt(whole, ["output"]);
      // Some repeat no items at the end.
      return output === null || output.replaceAll(/\s/g, "") === "[]" ? withOutput(whole, listed()) : whole;
    },
    items: () => (size > limitBytes ? [] : listed()),
  };
}

/** A response object with these items as its output. */
export function withOutput(response: string, items: readonly string[]): string {
  return setMember(response, ["output"], `[${items.join(",")}]`) ?? response;
}

/** The type's JSON text, looked at only where it stands near the beginning, as everybody writes it. */
function typeOf(data: string): string {
  return data.slice(0, 200).includes('"response.') || data.includes('"type"') ? (sliceAt(data, ["type"]) ?? "") : "";
}

/** The stream's events with the answer under an id of ours, which its caller was given before the provider gave one. Whole events only. */
export function createAnswerRenamer(id: string): { push(bytes: Uint8Array): Uint8Array[]; end(): Uint8Array[] } {
  const framer = createSseFramer();
  const encoder = new TextEncoder();
  const renamed = (frame: Frame): Uint8Array => {
    const { data } = frame;
    if (data === null || !data.includes('"response"') || !WHOLE.has(typeOf(data)) || !parseJson(data).ok) return frame.bytes;
    const named = setMember(data, ["response", "id"], JSON.stringify(id)) ?? data;
    return encoder.encode(renderSseFrame(frame.event, setMember(named, ["response", "background"], "true") ?? named));
  };
  return { push: (bytes) => framer.push(bytes).map(renamed), end: () => framer.end().map(renamed) };
}
