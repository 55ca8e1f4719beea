/** A client key says whose it is and proves it without storage; nothing that was altered passes. */
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  accountOfKeyId,
  base62,
  createKeyBodySchema,
  formatKey,
  keyLimitsSchema,
  newAccountId,
  NO_KEY_LIMITS,
  parseKey,
  verifyKey,
} from "../../schema/key.ts";

const hmac = (text: string): Uint8Array => createHmac("sha256", "secret").update(text).digest();
const random = fc.uint8Array({ minLength: 32, maxLength: 32 });
const account = fc.oneof(fc.constant("demo"), fc.uint8Array({ minLength: 16, maxLength: 16 }).map(newAccountId));

describe("a key", () => {
  test("leads back to its account and its id, for any account and any randomness", () => {
    fc.assert(
      fc.property(account, random, fc.constantFrom("live" as const, "test" as const), (accountId, bytes, kind) => {
        const { key, keyId } = formatKey({ kind, accountId, random: bytes }, hmac);
        expect(key).toMatch(/^ply_(live|test)_[0-9A-Za-z]+$/);
        expect(verifyKey(key, hmac)).toMatchObject({ kind, accountId, keyId });
        expect(accountOfKeyId(keyId)).toBe(accountId);
      }),
      { seed: 1 },
    );
  });

  test("with any one character changed, added or removed is refused", () => {
    const { key } = formatKey({ kind: "live", accountId: "acc_0123456789ABCDEF", random: new Uint8Array(32).fill(7) }, hmac);
    for (let index = 0; index < key.length; index++) {
      const other = key[index] === "a" ? "b" : "a";
      expect(verifyKey(key.slice(0, index) + other + key.slice(index + 1), hmac), `changed at ${index}`).toBeNull();
      expect(verifyKey(key.slice(0, index) + key.slice(index + 1), hmac), `removed at ${index}`).toBeNull();
      expect(verifyKey(`${key.slice(0, index)}a${key.slice(index)}`, hmac), `added at ${index}`).toBeNull();
    }
  });

  test("made under another secret is refused although its shape is right", () => {
    const { key } = formatKey({ kind: "test", accountId: "demo", random: new Uint8Array(32) }, (text) =>
      createHmac("sha256", "other").update(text).digest(),
    );
    expect(parseKey(key)).not.toBeNull();
    expect(verifyKey(key, hmac)).toBeNull();
  });

  test.each([
    "",
    "ply_live_",
    "sk-proj-abc",
    `ply_live_${"0".repeat(120)}`,
    `ply_prod_${"a".repeat(60)}`,
    `ply_live_${"é".repeat(60)}`,
    `ply_live_${"z".repeat(100_000)}`,
  ])("hostile text %# is refused without a throw", (text) => {
    expect(verifyKey(text, hmac)).toBeNull();
  });
});

describe("key ids and limits", () => {
  test.each(["", "key_", "key_demo", "demo_x", "key_demo_x_y", "key_../../etc_x", "key_short_abc"])(
    "the key id %j names no account",
    (keyId) => {
      expect(accountOfKeyId(keyId)).toBeNull();
    },
  );

  test("limits that are left out are no limits, and unknown or impossible ones are refused", () => {
    expect(keyLimitsSchema.parse({})).toEqual(NO_KEY_LIMITS);
    expect(Object.values(NO_KEY_LIMITS).every((limit) => limit === null)).toBe(true);
    for (const limits of [
      { requests_per_minute: 0 },
      { requests_per_minute: 1.5 },
      { request_per_minute: 5 },
      { expires_at: "tomorrow" },
      { allowed_models: "*" },
    ]) {
      expect(createKeyBodySchema.safeParse({ name: "k", limits }).success, JSON.stringify(limits)).toBe(false);
    }
  });

  test("base62 text is as long as asked and keeps leading zeros", () => {
    expect(base62(new Uint8Array([0, 0, 61]), 4)).toBe("000z");
    expect(base62(new Uint8Array([62]), 2)).toBe("10");
  });
});
