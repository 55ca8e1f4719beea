/** A recorded stream on its way to one reader, who may be slow or leave. */
import { HEARTBEAT } from "../engine/caller-stream.ts";

/** Writes what comes, and a comment where nothing does. Ends when the events do, or when nobody reads them any more. */
export async function writeEvents(events: AsyncGenerator<Uint8Array | null>, sink: WritableStream<Uint8Array>): Promise<void> {
  const writer = sink.getWriter();
  let isGone = false;
  writer.closed.catch(() => (isGone = true));
  try {
    for await (const bytes of events) {
      if (isGone) return;
      await writer.write(bytes ?? HEARTBEAT);
    }
    await writer.close();
  } catch (error) {
    // A reader that left; what it did not read is still there for it.
    await writer.abort(error).catch(() => undefined);
  }
}
