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
  ExtendCommand,
  ExtendResult,
  Freeze,
  FreezeCommand,
  Hold,
  LedgerFacts,
  ReleaseCommand,
  ReplayResult,
  SettleCommand,
  TrueUpCommand,
  TrueUpResult,
} from "./ledger.ts";
import { type ChangeKeyCommand, changeKeyCommandSchema, type CreateKeyCommand, createKeyCommandSchema, type KeyRow } from "./key.ts";
import {
  admitCommandSchema,
  creditCommandSchema,
  entrySchema,
  extendCommandSchema,
  freezeCommandSchema,
  releaseCommandSchema,
  settleCommandSchema,
  trueUpCommandSchema,
} from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import { type LiveQuestion, liveQuestionSchema } from "./live.ts";
import { type AccountLimitsPatch, accountLimitsPatchSchema, type AccountLimitsView } from "./rate.ts";
import { type ServeEnvelope, serveEnvelopeSchema } from "./plan.ts";
import type { StoredRequest } from "./request.ts";
import {
  type AddressView,
  type PinCommand,
  pinCommandSchema,
  type RoutedRequest,
  type RoutingFacts,
  type RoutingQuestion,
  routingQuestionSchema,
} from "./routing.ts";

/** The shape of each argument of the calls below. */
export const RPC_TAKES = {
  serve: serveEnvelopeSchema,
  admit: admitCommandSchema,
  settle: settleCommandSchema,
  release: releaseCommandSchema,
  extend: extendCommandSchema,
  credit: creditCommandSchema,
  trueUp: trueUpCommandSchema,
  freeze: freezeCommandSchema,
  entries: z.array(entrySchema).max(LIMITS.ledgerPageRowsMax),
  yes: z.boolean(),
  createKey: createKeyCommandSchema,
  changeKey: changeKeyCommandSchema,
  limits: accountLimitsPatchSchema,
  routing: routingQuestionSchema,
  pin: pinCommandSchema,
  live: liveQuestionSchema,
  /** A request id, a key id, the hash of a key: looked up, so any text will do. */
  name: z.string().max(256),
  /** The number of an event of a stream; -1 stands before the first. */
  place: z.number().int().min(-1),
  /** A seq, or a number of rows. */
  count: z.number().int().nonnegative(),
  seqs: z.array(z.number().int().positive()).max(LIMITS.reconcileRowsPerPass),
} as const;

/** `lane`: this lane is full, take that one. */
export type ServeResult = Response | { lane: number };

export type KeyCreated = "created" | "exists" | "exists_with_different" | "too_many";
/** `reason` says what is wrong with the first bad entry. */
export type ChainVerdict = { ok: true; checked: number } | { ok: false; seq: number; reason: string };

/** Entries of a ledger, and whether they follow the one before them. */
export interface LedgerPage {
  entries: Entry[];
  chain: ChainVerdict;
}

/** A lane: the owner of many requests. */
export interface LaneRpc {
  serve(envelope: ServeEnvelope): Promise<ServeResult>;
  /** Null when this lane has no such request of the account. */
  request(requestId: string): Promise<StoredRequest | null>;
  /** Server-sent lifecycle frames after `afterSeq`, ending with the request; null when there is none. */
  events(requestId: string, afterSeq: number): Promise<ReadableStream<Uint8Array> | null>;
  /** A recorded stream's events after the one of that number, as they were sent and as they come; null when there is none. */
  resume(requestId: string, after: number): Promise<Response | null>;
  /** Ends a recorded request that is under way. False: it is not. */
  cancel(requestId: string): Promise<boolean>;
  /** Drives every request that nobody runs any more to its end. Gives how many were ended. */
  recover(): Promise<number>;
}

/** An account's money. */
export interface LedgerRpc {
  admit(command: AdmitCommand): Promise<AdmitResult>;
  settle(command: SettleCommand): Promise<EndResult>;
  release(command: ReleaseCommand): Promise<EndResult>;
  /** Grows a hold, or prolongs it. */
  extend(command: ExtendCommand): Promise<ExtendResult>;
  credit(command: CreditCommand): Promise<CreditResult>;
  /** Corrects the charge of a request that has ended, once. */
  trueUp(command: TrueUpCommand): Promise<TrueUpResult>;
  createKey(command: CreateKeyCommand): Promise<KeyCreated>;
  /** False: this account has no such key. */
  revokeKey(keyId: string): Promise<boolean>;
  listKeys(): Promise<KeyRow[]>;
  /** Null: this account has no such key. */
  changeKey(command: ChangeKeyCommand): Promise<KeyRow | null>;
  /** The account's own limits, which all its keys share. */
  limits(): Promise<AccountLimitsView>;
  changeLimits(patch: AccountLimitsPatch): Promise<AccountLimitsView>;
  /** Id of an active key by its hash; null for an unknown, revoked or expired one. For calls that hold no money. */
  keyIdOfHash(keyHash: string): Promise<string | null>;
  balance(): Promise<Balance>;
  ledger(afterSeq: number, limitRows: number): Promise<Entry[]>;
  /** Entries after `afterSeq`, each checked against the one before it. */
  page(afterSeq: number, limitRows: number): Promise<LedgerPage>;
  facts(): Promise<LedgerFacts>;
  /** The sum of each account's postings in this ledger, as exact text. */
  postingSums(): Promise<Record<string, string>>;
  verifyChain(): Promise<ChainVerdict>;
  /** D1 has every entry up to and including this one. */
  recorded(throughSeq: number): Promise<void>;
  /** The queue messages of these entries again, as JSON text: for reconciliation. */
  messages(seqs: number[]): Promise<string[]>;
  /** How far D1 is known to have this ledger. */
  watermark(): Promise<{ seq: number; recorded_seq: number }>;
  /** Holds that are open now, newest first: the requests under way, in whatever lane. */
  openHolds(): Promise<Hold[]>;
  /** One hold, open or ended; null for a request never admitted here. */
  hold(requestId: string): Promise<Hold | null>;
  /** The entry that ended a request and whether D1 is known to have it; null while it has not ended. */
  entryOf(requestId: string): Promise<{ entry: Entry; recorded: boolean } | null>;
  /** Stops the ledger from admitting and appending, until `thaw`. */
  freeze(command: FreezeCommand): Promise<Freeze | null>;
  /** Puts back, in order, entries written after the time a frozen ledger was restored to. */
  replay(entries: Entry[]): Promise<ReplayResult>;
  /** Ends a freeze. False: entries that D1 has are still missing, and `force` is false. */
  thaw(force: boolean): Promise<boolean>;
}

export interface AccountRpc extends LaneRpc, LedgerRpc {
  /** What a routing decision needs to know of this account: health of addresses, the conversation's last model, what the key may use. */
  routingFacts(question: RoutingQuestion): Promise<RoutingFacts>;
  /** Every address that lane 0 has asked lately, and how it does. */
  addresses(): Promise<AddressView[]>;
  /** The router's latest decisions in lane 0, the newest first. */
  decisions(): Promise<RoutedRequest[]>;
  /** `LiveState` as server-sent events, one at once and one at each change, for a while; null when too many look on already. */
  live(question: LiveQuestion): Promise<ReadableStream<Uint8Array> | null>;
  /** Keeps a conversation with a model that the caller was told to use. */
  pinConversation(command: PinCommand): Promise<void>;
  /** Wakes the object: ends orphaned requests, expires holds, flushes the outbox, arms the alarm. */
  kick(): Promise<void>;
}
