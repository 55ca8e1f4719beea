/**
 * The two functions of Node's crypto module that workerd gives us and we use: hashes that need no `await`. Node's own types are not
 * loaded for worker code, since their globals contradict the platform's.
 */
declare module "node:crypto" {
  interface Digest {
    update(data: string | Uint8Array): Digest;
    digest(): Uint8Array;
    digest(encoding: "hex"): string;
  }
  export function createHash(algorithm: "sha256"): Digest;
  export function timingSafeEqual(left: Uint8Array, right: Uint8Array): boolean;
  export function createHmac(algorithm: "sha256", key: string | Uint8Array): Digest;
}
