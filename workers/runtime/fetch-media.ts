/**
 * Pictures and documents behind addresses → bytes, for providers that take them inline only. Done before anything is held or sent, so a
 * refusal has changed nothing. Each address is fetched once whatever the number of attempts; redirects are followed by hand, since every hop
 * is as untrusted as the first; what the bytes are is read from the bytes.
 */
import { LIMITS } from "../../schema/limits.ts";
import { base64OfBytes } from "../protocol/base64.ts";
import { type MediaGuard, readMediaAddress, refusalOf } from "./media-guard.ts";
import type { RuntimePorts } from "./send-attempt.ts";

export interface FetchedMedia {
  /** `image/png`, `image/jpeg`, `image/gif`, `image/webp` or `application/pdf`: what the bytes say. */
  mediaType: string;
  /** Base64. */
  data: string;
}

export type MediaOutcome =
  | { ok: true; media: ReadonlyMap<string, FetchedMedia> }
  /** The first address that did not give media, and why, in words for the caller. */
  | { ok: false; url: string; reason: string };

export type MediaPorts = Pick<RuntimePorts, "fetch" | "after"> & { guard: MediaGuard };

/** A reason that ends the fetching of all media; caught in `fetchMedia` and nowhere else. */
class Refused extends Error {}

/** Bytes all media of one request may still have. */
interface Budget {
  left: number;
}

/** Fetches each address once. Never throws. */
export async function fetchMedia(urls: Iterable<string>, ports: MediaPorts): Promise<MediaOutcome> {
  const wanted = [...new Set(urls)];
  const media = new Map<string, FetchedMedia>();
  const over = wanted[LIMITS.mediaPerRequest];
  if (over !== undefined) return { ok: false, url: over, reason: `a request may name ${LIMITS.mediaPerRequest} of them` };
  const budget: Budget = { left: LIMITS.mediaBytesPerRequest };
  let failure: { ok: false; url: string; reason: string } | null = null;
  const queue = wanted.values();
  const controller = new AbortController();
  const work = async (): Promise<void> => {
    for (const url of queue) {
      if (failure !== null) return;
      try {
        media.set(url, await fetchOne(url, { ports, budget, controller }));
      } catch (error) {
        failure ??= { ok: false, url, reason: error instanceof Refused ? error.message : "it could not be reached" };
        controller.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: LIMITS.mediaAtOnce }, work));
  return failure ?? { ok: true, media };
}

interface Fetching {
  ports: MediaPorts;
  budget: Budget;
  /** Aborted at the first failure of any. */
  controller: AbortController;
}

async function fetchOne(url: string, { ports, budget, controller }: Fetching): Promise<FetchedMedia> {
  const own = new AbortController();
  const stop = (): void => own.abort();
  controller.signal.addEventListener("abort", stop);
  let isLate = false;
  const calledOff = ports.after(LIMITS.mediaMilliseconds, () => {
    isLate = true;
    own.abort();
  });
  try {
    const response = await follow(url, ports, own.signal);
    const declared = declaredType(response);
    const bytes = await readBytes(response, budget, own.signal);
    return { mediaType: typeOf(bytes, declared), data: base64OfBytes(bytes) };
  } catch (error) {
    throw isLate ? new Refused("it took too long") : error;
  } finally {
    calledOff();
    controller.signal.removeEventListener("abort", stop);
  }
}

/** The answer at the end of the redirects. */
async function follow(text: string, ports: MediaPorts, signal: AbortSignal): Promise<Response> {
  let address = checked(text, ports.guard);
  for (let hop = 0; hop <= LIMITS.mediaRedirects; hop++) {
    const response = await ports.fetch(address.href, {
      method: "GET",
      headers: { accept: "image/*, application/pdf", "accept-encoding": "identity", "user-agent": "plyrum" },
      redirect: "manual",
      signal,
    });
    if (response.status === 200) return response;
    await response.body?.cancel().catch(() => undefined);
    const location = response.headers.get("location");
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null)
      throw new Refused(`it answered with status ${response.status}`);
    address = checked(location, ports.guard, address);
  }
  throw new Refused(`it redirects more than ${LIMITS.mediaRedirects} times`);
}

function checked(text: string, guard: MediaGuard, base?: URL): URL {
  const address = readMediaAddress(text, base);
  if (address === null) throw new Refused("it is no address");
  const refusal = refusalOf(address, guard);
  if (refusal !== null) throw new Refused(base === undefined ? refusal : `it redirects to an address that is not fetched: ${refusal}`);
  // What follows the `#` is the reader's own business.
  address.hash = "";
  return address;
}

/** The declared type without its parameters; empty where none is declared, or one that says only "bytes". */
function declaredType(response: Response): string {
  const type = (response.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  if (/^(application|binary)\/octet-stream$/.test(type)) return "";
  if (type !== "" && type !== "application/pdf" && !type.startsWith("image/")) {
    response.body?.cancel().catch(() => undefined);
    throw new Refused(`it is ${type.slice(0, 100)} and no picture or PDF`);
  }
  return type;
}

/** The body within what is left of the request's bytes, which it uses up. */
async function readBytes(response: Response, budget: Budget, signal: AbortSignal): Promise<Uint8Array> {
  const declared = Number(response.headers.get("content-length") ?? 0);
  const most = Math.min(LIMITS.mediaBytes, budget.left);
  if (response.body === null) throw new Refused("it is empty");
  const reader = response.body.getReader();
  const cancel = (): void => void reader.cancel().catch(() => undefined);
  signal.addEventListener("abort", cancel);
  try {
    if (declared > most) throw tooLarge(budget);
    const parts: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const { value, done } = await reader.read();
      // A cancelled body ends as if it were whole.
      if (signal.aborted) throw new Refused("it was not read to its end");
      if (done) return joined(parts, length);
      length += value.byteLength;
      budget.left -= value.byteLength;
      if (length > LIMITS.mediaBytes || budget.left < 0) throw tooLarge(budget);
      parts.push(value);
    }
  } catch (error) {
    cancel();
    throw error;
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

function tooLarge(budget: Budget): Refused {
  const isShared = budget.left < LIMITS.mediaBytes;
  return new Refused(
    isShared
      ? `the media of a request may have ${LIMITS.mediaBytesPerRequest} bytes, and ${LIMITS.mediaBytes} each`
      : `it has more than ${LIMITS.mediaBytes} bytes`,
  );
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return bytes;
}

/** First bytes of each type, as text of one character a byte, and where they stand. Source: the formats' own specifications. */
const SIGNATURES: readonly (readonly [mediaType: string, ...parts: (readonly [at: number, bytes: string])[]])[] = [
  ["image/png", [0, "\x89PNG\r\n\x1a\n"]],
  ["image/jpeg", [0, "\xff\xd8\xff"]],
  ["image/gif", [0, "GIF87a"]],
  ["image/gif", [0, "GIF89a"]],
  ["image/webp", [0, "RIFF"], [8, "WEBP"]],
  ["application/pdf", [0, "%PDF-"]],
];

/** What the bytes are. A header that says otherwise in kind (a page for a picture, a picture for a document) is refused. */
function typeOf(bytes: Uint8Array, declared: string): string {
  const start = String.fromCharCode(...bytes.subarray(0, 16));
  const found = SIGNATURES.find(([, ...parts]) => parts.every(([at, signature]) => start.startsWith(signature, at)))?.[0];
  if (found === undefined) throw new Refused("it is no PNG, JPEG, GIF, WebP or PDF");
  if (declared !== "" && declared.startsWith("image/") !== found.startsWith("image/"))
    throw new Refused(`it is ${found} sent as ${declared}`);
  return found;
}
