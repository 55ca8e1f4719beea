/** Bytes, text and comparisons that signatures are made of. Comparisons take the same time wherever two values differ. */

/** The two digests every provider signs with, over bytes; handed in, since the platform's synchronous ones are a module of its own. */
export interface Digests {
  hmacSha256: (key: Uint8Array, message: Uint8Array) => Uint8Array;
  sha256: (message: Uint8Array) => Uint8Array;
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** UTF-8 → text, byte order mark kept; null for anything that is not UTF-8, since what is replaced was not what was signed. */
export function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function hexOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** Base64 of up to a few hundred bytes. */
export function base64Of(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** Base64 → bytes; null for what is none, or is written in another way than an encoder would. */
export function bytesOfBase64(text: string): Uint8Array | null {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0) return null;
  const binary = atob(text);
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  return btoa(binary) === text ? bytes : null;
}

/** Equal texts, in a time that depends on their lengths only. */
export function isSameText(given: string, expected: string): boolean {
  let difference = given.length ^ expected.length;
  for (let index = 0; index < expected.length; index++) difference |= given.charCodeAt(index) ^ expected.charCodeAt(index);
  return difference === 0;
}

/** `user:password` as HTTP's basic authorization. */
export function basicAuthorization(user: string, password: string): string {
  return `Basic ${base64Of(bytesOf(`${user}:${password}`))}`;
}
