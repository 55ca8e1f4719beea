/**
 * State that a `thoughtSignature` carries. The member is base64 on this wire and some SDKs decode it, so another provider's marked state
 * (opaque-state.ts) travels inside base64; this wire's own signatures pass as they are.
 */
import { isMarked } from "../opaque-state.ts";

/** Put before the state of reasoning that is nothing but its state. */
const REDACTED = "redacted:";

function encode(text: string): string {
  return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(""));
}

function decode(base64: string): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)),
    );
  } catch {
    return null;
  }
}

/** A signature as a member of this wire. */
export function signatureMember(state: string): string {
  return isMarked(state) ? encode(state) : state;
}

/** Redacted reasoning as a member of this wire. */
export function redactedMember(data: string): string {
  return encode(REDACTED + data);
}

/** What a member that a caller sends back stands for: a signature, or redacted reasoning. Null: there is none. */
export function readMember(member: string | null | undefined): { kind: "signature" | "redacted"; state: string } | null {
  if (member === null || member === undefined || member === "") return null;
  // Only ours begin with the letters of these two marks; nothing else is decoded.
  const inside = member.startsWith("cGx5MS") || member.startsWith("cmVkYWN0ZWQ6") ? decode(member) : null;
  if (inside?.startsWith(REDACTED) === true) return { kind: "redacted", state: inside.slice(REDACTED.length) };
  return { kind: "signature", state: inside !== null && isMarked(inside) ? inside : member };
}
