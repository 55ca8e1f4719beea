/**
 * Client keys: `ply_` + kind + `_` + letters and digits (contract §2). The letters carry the account, the key's own id, a secret and
 * a keyed tag, so a forged key is told apart before any storage is touched and a true one leads to its account without a table.
 *
 * Layout after the prefix, all base62: 1 character for the length of the account's token, the token, 8 of key id, 22 of secret, 11 of tag.
 * An account's token is its id without `acc_`; the id `demo` is its own token. A key id is `key_<account token>_<8 characters>`.
 */
import { z } from "zod";
import { integerText } from "./money.ts";
import { NO_ACCOUNT_LIMITS, ownerLimitFields, patched } from "./rate.ts";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE = 62n;
const ACCOUNT_TOKEN_CHARACTERS = 16;
const KEY_PART_CHARACTERS = 8;
const SECRET_CHARACTERS = 22;
const TAG_CHARACTERS = 11;

export const accountIdSchema = z.string().regex(/^(demo|acc_[0-9A-Za-z]{8,40})$/, "is not an account id");
export const keyIdSchema = z.string().regex(/^key_[0-9A-Za-z]{4,40}_[0-9A-Za-z]{1,32}$/, "is not a key id");
export const keyKindSchema = z.enum(["live", "test"]);
export type KeyKind = z.infer<typeof keyKindSchema>;

const keyLimitFields = {
  ...ownerLimitFields,
  /** ISO 8601 instant after which the key is refused. */
  expires_at: z.iso.datetime({ offset: true }).nullable(),
};

const keyLimits = z.strictObject(keyLimitFields);
export type KeyLimits = z.infer<typeof keyLimits>;
export const NO_KEY_LIMITS: KeyLimits = { ...NO_ACCOUNT_LIMITS, expires_at: null };

/** A change of a key's limits: what is left out stays, null takes a limit away. */
export const keyLimitsPatchSchema = keyLimits.partial();
export type KeyLimitsPatch = z.infer<typeof keyLimitsPatchSchema>;

/** Limits of one key as `POST /admin/accounts/:id/keys` takes them; null or left out is "no limit". */
export const keyLimitsSchema = keyLimitsPatchSchema.transform((given): KeyLimits => patched(NO_KEY_LIMITS, given));

/** Body of `POST /admin/accounts/:id/keys`. */
export const createKeyBodySchema = z.strictObject({
  name: z.string().min(1).max(128),
  limits: keyLimitsSchema.optional(),
});

/** Body of `PATCH /admin/keys/:id`. */
export const patchKeyBodySchema = z.strictObject({
  name: z.string().min(1).max(128).optional(),
  limits: keyLimitsPatchSchema.optional(),
});

/** RPC: a key's name and limits as they are to be. */
export const changeKeyCommandSchema = z.object({
  key_id: keyIdSchema,
  name: z.string().max(128).optional(),
  limits: keyLimitsPatchSchema.optional(),
});
export type ChangeKeyCommand = z.infer<typeof changeKeyCommandSchema>;

/** RPC: a new key is stored by its hash; the key itself never reaches the object. Same `key_id` and facts again: no change. */
export const createKeyCommandSchema = z.object({
  key_id: keyIdSchema,
  key_hash: z.string().min(16).max(128),
  name: z.string().max(128),
  limits: keyLimitsSchema,
});
export type CreateKeyCommand = z.infer<typeof createKeyCommandSchema>;

/** A key as it is listed; never its hash. */
export const keyRowSchema = z.strictObject({
  key_id: keyIdSchema,
  name: z.string(),
  limits: keyLimitsSchema,
  created_at: z.number().int(),
  revoked_at: z.number().int().nullable(),
  /** Counted only for a key with a spend limit; null otherwise. */
  spent_today_micro_rub: integerText.nullable(),
  spent_month_micro_rub: integerText.nullable(),
});
export type KeyRow = z.infer<typeof keyRowSchema>;

/** What a key's text says. `signed` is the part the tag covers. */
export interface KeyParts {
  kind: KeyKind;
  accountId: string;
  keyId: string;
  signed: string;
  tag: string;
}

/** The first `characters` base62 digits worth of `bytes` (as one big-endian number), most significant first. */
export function base62(bytes: Uint8Array, characters: number): string {
  let value = 0n;
  for (const byte of bytes) value = value * 256n + BigInt(byte);
  let text = "";
  for (let index = 0; index < characters; index++) {
    text = (ALPHABET[Number(value % BASE)] ?? "0") + text;
    value /= BASE;
  }
  return text;
}

/** A new account id from 16 or more random bytes. */
export function newAccountId(random: Uint8Array): string {
  return `acc_${base62(random, ACCOUNT_TOKEN_CHARACTERS)}`;
}

function accountToken(accountId: string): string {
  return accountId.startsWith("acc_") ? accountId.slice(4) : accountId;
}

function accountIdOf(token: string): string {
  return token === "demo" ? token : `acc_${token}`;
}

/** `key_<account token>_<part>`. */
export function keyIdOf(accountId: string, keyPart: string): string {
  return `key_${accountToken(accountId)}_${keyPart}`;
}

/** The account a key id belongs to; null when the text is no key id. */
export function accountOfKeyId(keyId: string): string | null {
  if (!keyIdSchema.safeParse(keyId).success) return null;
  const token = keyId.slice(4, keyId.lastIndexOf("_"));
  return accountIdSchema.safeParse(accountIdOf(token)).success ? accountIdOf(token) : null;
}

/** The tag a keyed hash of `signed` (8 bytes or more) gives. */
export function keyTag(mac: Uint8Array): string {
  return base62(mac.subarray(0, 8), TAG_CHARACTERS);
}

/**
 * Makes a key. `random` holds 32 or more random bytes; `hmac` is HMAC-SHA-256 under the deployment's key secret.
 * Gives the text to show once and the id to store.
 */
export function formatKey(
  facts: { kind: KeyKind; accountId: string; random: Uint8Array },
  hmac: (text: string) => Uint8Array,
): { key: string; keyId: string } {
  const token = accountToken(facts.accountId);
  const keyPart = base62(facts.random.subarray(0, 8), KEY_PART_CHARACTERS);
  const secret = base62(facts.random.subarray(8), SECRET_CHARACTERS);
  const signed = `ply_${facts.kind}_${ALPHABET[token.length] ?? "0"}${token}${keyPart}${secret}`;
  return { key: signed + keyTag(hmac(signed)), keyId: keyIdOf(facts.accountId, keyPart) };
}

/** Reads a key's text without checking its tag; null when it has not the shape of one. */
export function parseKey(text: string): KeyParts | null {
  const match = /^ply_(live|test)_([0-9A-Za-z]{43,120})$/.exec(text);
  const kind = keyKindSchema.safeParse(match?.[1]);
  const body = match?.[2];
  if (!kind.success || body === undefined) return null;
  const tokenLength = ALPHABET.indexOf(body[0] ?? "");
  if (body.length !== 1 + tokenLength + KEY_PART_CHARACTERS + SECRET_CHARACTERS + TAG_CHARACTERS) return null;
  const accountId = accountIdOf(body.slice(1, 1 + tokenLength));
  if (!accountIdSchema.safeParse(accountId).success) return null;
  const keyPart = body.slice(1 + tokenLength, 1 + tokenLength + KEY_PART_CHARACTERS);
  return {
    kind: kind.data,
    accountId,
    keyId: keyIdOf(accountId, keyPart),
    signed: text.slice(0, -TAG_CHARACTERS),
    tag: text.slice(-TAG_CHARACTERS),
  };
}

/** Reads a key and checks its tag in constant time; null for anything forged or misshapen. */
export function verifyKey(text: string, hmac: (text: string) => Uint8Array): KeyParts | null {
  const parts = parseKey(text);
  if (parts === null) return null;
  const expected = keyTag(hmac(parts.signed));
  let difference = 0;
  for (let index = 0; index < TAG_CHARACTERS; index++) difference |= expected.charCodeAt(index) ^ parts.tag.charCodeAt(index);
  return difference === 0 ? parts : null;
}
