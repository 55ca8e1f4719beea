/** Base64, of bytes and of text as UTF-8. */

/** Bytes turned into text at once: a multiple of three, so that the pieces' base64 joins, and few enough to be arguments of one call. */
const BYTES_PER_PIECE = 3 * 4096;

export function base64OfBytes(bytes: Uint8Array): string {
  let base64 = "";
  for (let start = 0; start < bytes.length; start += BYTES_PER_PIECE)
    base64 += btoa(String.fromCharCode(...bytes.subarray(start, start + BYTES_PER_PIECE)));
  return base64;
}

/** Text → base64 of its UTF-8 bytes. */
export function base64OfText(text: string): string {
  return base64OfBytes(new TextEncoder().encode(text));
}

/** Base64 → UTF-8 text; null when it is neither. */
export function textOfBase64(base64: string): string | null {
  try {
    const binary = atob(base64);
    const bytes = new Uint8Array(binary.length);
    for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index);
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    return null;
  }
}

/** Pieces of base64, each padded for itself, as one; as they stand where one of them is no base64. */
export function joinBase64(pieces: readonly string[]): string {
  try {
    return pieces.length === 1 ? (pieces[0] ?? "") : btoa(pieces.map((piece) => atob(piece)).join(""));
  } catch {
    return pieces.join("");
  }
}

/** Whether a text is base64 with its padding, as strict decoders demand it. */
export function isBase64(text: string): boolean {
  return text.length % 4 === 0 && !/[^A-Za-z0-9+/]/.test(text.replace(/={1,2}$/, ""));
}
