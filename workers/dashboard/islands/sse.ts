/** Reads a streamed answer as its JSON frames, whether they come as server-sent events or as a line each. */
import { type Json, parseObject } from "./read-json.ts";

/** The frames of a body, as they arrive. Comments, event names and `[DONE]` are no frames. */
export async function* frames(body: ReadableStream<Uint8Array>): AsyncGenerator<Json, void> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
    const lines = rest.split("\n");
    rest = done ? "" : (lines.pop() ?? "");
    for (const line of lines) {
      const text = (line.startsWith("data:") ? line.slice(5) : line).trim();
      if (text.startsWith("{")) yield parseObject(text);
    }
    if (done) return;
  }
}
