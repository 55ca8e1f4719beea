/** Secrets of the dashboard, each made from the deployment's own for one purpose, and tokens of links, of which only hashes are kept. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { base62 } from "../../../schema/key.ts";

const TOKEN_CHARACTERS = 43;
const ID_CHARACTERS = 16;

/** 32 bytes for one purpose; the same for every isolate of the deployment. */
export function derivedSecret(env: Env, purpose: string): Uint8Array {
  return new Uint8Array(createHmac("sha256", env.PLYRUM_KEY_SECRET).update(`dashboard:${purpose}`).digest());
}

export function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function newToken(): string {
  return base62(crypto.getRandomValues(new Uint8Array(34)), TOKEN_CHARACTERS);
}

export function newId(prefix: "org" | "prj" | "inv"): string {
  return `${prefix}_${base62(crypto.getRandomValues(new Uint8Array(16)), ID_CHARACTERS)}`;
}

export function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** HMAC of a text under a derived secret, as hexadecimal text. */
export function markOf(env: Env, purpose: string, text: string): string {
  return createHmac("sha256", derivedSecret(env, purpose)).update(text).digest("hex");
}

function digestOf(text: string): Uint8Array {
  return new Uint8Array(createHash("sha256").update(text).digest());
}

/** Equal in constant time for texts of any length. */
export function isSame(given: string, expected: string): boolean {
  return timingSafeEqual(digestOf(given), digestOf(expected));
}
