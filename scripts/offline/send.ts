/** How bytes leave the offline provider: event by event, or in pieces that cut through events, with every fault a connection can have. */
import type { ServerResponse } from "node:http";
import type { Commands } from "./commands.ts";
import type { WireEvent, WireFormat } from "./wire.ts";

interface Progress {
  onEvent: (event: WireEvent) => void;
  onEnd: () => void;
  /** The caller was found gone after this many events. */
  onClosed: (events: number) => void;
}

/** Sends a stream's events. Resolves when it has ended, was cut, or its caller has gone. */
export async function send(
  response: ServerResponse,
  format: WireFormat,
  events: readonly WireEvent[],
  commands: Commands,
  progress: Progress,
): Promise<void> {
  let sent = 0;
  let noted = false;
  const isGone = (): boolean => response.destroyed || response.socket?.destroyed === true;
  response.on("close", () => {
    if (noted || response.writableEnded) return;
    noted = true;
    progress.onClosed(sent);
  });
  const repeated = commands.flags.has("endless") ? endless(events) : events;
  for (const event of repeated) {
    if (isGone()) return;
    const fault = faultAt(sent, commands);
    if (fault === "cut") return void response.destroy();
    if (fault === "stall") return;
    if (fault === "end") return void response.end();
    if (fault === "error") return void response.end(format.streamError);
    progress.onEvent(event);
    sent += 1;
    await write(response, bytesOf(event.text, commands), commands);
    if (commands.delay > 0) await sleep(commands.delay);
  }
  if (isGone()) return;
  noted = true;
  progress.onEnd();
  response.end();
}

function faultAt(sent: number, commands: Commands): "cut" | "stall" | "end" | "error" | null {
  if (commands.cut === sent) return "cut";
  if (commands.stall === sent) return "stall";
  if (commands.end === sent) return "end";
  return commands.errorAt === sent ? "error" : null;
}

/** The first run of content again and again, after what leads up to it. */
function* endless(events: readonly WireEvent[]): Generator<WireEvent> {
  const first = events.findIndex((event) => event.outputTokens > 0);
  const rest = events.slice(first);
  const length = rest.findIndex((event) => event.outputTokens === 0);
  yield* events.slice(0, first);
  for (;;) yield* rest.slice(0, length === -1 ? rest.length : length);
}

function bytesOf(text: string | Buffer, commands: Commands): Buffer {
  if (typeof text !== "string") return text;
  return Buffer.from(commands.flags.has("crlf") ? text.replaceAll(/\r?\n/g, "\r\n") : text);
}

/** Sends given pieces of a body, cut after some of them when told so. */
export async function sendPieces(response: ServerResponse, pieces: readonly Buffer[], commands: Commands): Promise<void> {
  for (const [index, piece] of pieces.entries()) {
    if (response.destroyed) return;
    if (commands.cut === index) return void response.destroy();
    await write(response, piece, commands);
    if (commands.delay > 0) await sleep(commands.delay);
  }
}

async function write(response: ServerResponse, bytes: Buffer, commands: Commands): Promise<void> {
  const size = commands.split ?? bytes.length;
  for (let offset = 0; offset < bytes.length; offset += Math.max(1, size)) {
    const taken = response.write(bytes.subarray(offset, offset + Math.max(1, size)));
    if (!taken) await drained(response);
    // A piece of its own on the wire, not one of many in a packet.
    if (commands.split !== null) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Resolves when the caller has taken what was written, or has gone. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
