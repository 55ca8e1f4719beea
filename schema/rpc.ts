/**
 * The calls between the Worker, the queue consumer, the cron job and an account's object. Amounts are decimal text. Every mutating
 * call states absolute facts and may be repeated. Additive changes only: Worker and object may be of different versions for a while.
 * What an object is given is parsed with `RPC_TAKES` where it enters.
 */
import { z } from "zod";
import type {
  AdmitCommand,
  AdmitResult,
  Balance,
  CreditCommand,
  CreditResult,
  EndResult,
  Entry,
  Hold,
  LedgerFacts,
  ReleaseCommand,
  SettleCommand,
} from "./ledger.ts";
import { type CreateKeyCommand, createKeyCommandSchema, type KeyRow } from "./key.ts";
import { admitCommandSchema, creditCommandSchema, releaseCommandSchema, settleCommandSchema } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import { type ServeEnvelope, serveEnvelopeSchema } from "./plan.ts";
import type { StoredRequest } from "./request.ts";

/** The shape of each argument of the calls below. */
export const RPC_TAKES = {
  serve: serveEnvelopeSchema,
  admit: admitCommandSchema,
  settle: settleCommandSchema,
  release: releaseCommandSchema,
  credit: creditCommandSchema,
  createKey: createKeyCommandSchema,
  /** A request id, a key id, the hash of a key: looked up, so any text will do. */
  name: z.string().max(256),
  /** A seq, or a number of rows. */
  count: z.number().int().nonnegative(),
  seqs: z.array(z.number().int().positive()).max(LIMITS.reconcileRowsPerPass),
} as const;

/** `lane`: this lane is full, take that one. */
export type ServeResult = Response | { lane: number };

export type KeyCreated = "created" | "exists" | "exists_with_different" | "too_many";
/** `reason` says what is wrong with the first bad entry. */
export type ChainVerdict = { ok: true; checked: number } | { ok: false; seq: number; reason: string };

/** A lane: the owner of many requests. */
export interface LaneRpc {
  serve(envelope: ServeEnvelope): Promise<ServeResult>;
  /** Null when this lane has no such request of the account. */
  request(requestId: string): Promise<StoredRequest | null>;
  /** Server-sent lifecycle frames after `afterSeq`, ending with the request; null when there is none. */
  events(requestId: string, afterSeq: number): Promise<ReadableStream<Uint8Array> | null>;
  /** Drives every request that nobody runs any more to its end. Gives how many were ended. */
  recover(): Promise<number>;
}

export interface AccountRpc extends LaneRpc {
  admit(command: AdmitCommand): Promise<AdmitResult>;
  settle(command: SettleCommand): Promise<EndResult>;
  release(command: ReleaseCommand): Promise<EndResult>;
  credit(command: CreditCommand): Promise<CreditResult>;
  createKey(command: CreateKeyCommand): Promise<KeyCreated>;
  /** False: this account has no such key. */
  revokeKey(keyId: string): Promise<boolean>;
  listKeys(): Promise<KeyRow[]>;
  /** Id of an active key by its hash; null for an unknown, revoked or expired one. For calls that hold no money. */
  keyIdOfHash(keyHash: string): Promise<string | null>;
  balance(): Promise<Balance>;
  ledger(afterSeq: number, limitRows: number): Promise<Entry[]>;
  facts(): Promise<LedgerFacts>;
  verifyChain(): Promise<ChainVerdict>;
  /** D1 has every entry up to and including this one. */
  recorded(throughSeq: number): Promise<void>;
  /** The queue messages of these entries again, as JSON text: for reconciliation. */
  messages(seqs: number[]): Promise<string[]>;
  /** How far D1 is known to have this ledger. */
  watermark(): Promise<{ seq: number; recorded_seq: number }>;
  /** Wakes the object: ends orphaned requests, expires holds, flushes the outbox, arms the alarm. */
  kick(): Promise<void>;
  /** Holds that are open now, newest first: the requests under way, in whatever lane. */
  openHolds(): Promise<Hold[]>;
  /** The entry that ended a request and whether D1 is known to have it; null while it has not ended. */
  entryOf(requestId: string): Promise<{ entry: Entry; recorded: boolean } | null>;
}
