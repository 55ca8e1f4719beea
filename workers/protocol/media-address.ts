/** Media as OpenAI-shaped wires write it: an address, or inline bytes as a `data:` address. */
import type { MediaSource } from "./canonical.ts";
import { WrongField } from "./request-body.ts";

/** `data:` addresses become inline bytes; anything else stays an address. Throws `WrongField` for a `data:` address without base64. */
export function readAddress(url: string, path: string): MediaSource {
  if (!url.startsWith("data:")) return { kind: "url", url };
  const comma = url.indexOf(",");
  const header = url.slice(5, comma);
  if (comma === -1 || !header.endsWith(";base64")) throw new WrongField(path, "a data: address must be data:<media type>;base64,<data>");
  return { kind: "base64", mediaType: header.slice(0, header.indexOf(";")), data: url.slice(comma + 1) };
}

/** The bytes of a file: an address, a `data:` address, or bare base64, which by custom is a PDF. */
export function readFileData(data: string, path: string): MediaSource {
  return data.startsWith("data:") || /^https?:/.test(data)
    ? readAddress(data, path)
    : { kind: "base64", mediaType: "application/pdf", data };
}

/** The source as an address; null for a file id, which only its own provider's store knows. */
export function addressOf(source: MediaSource): string | null {
  if (source.kind === "url") return source.url;
  return source.kind === "base64" ? `data:${source.mediaType};base64,${source.data}` : null;
}
