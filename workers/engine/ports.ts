/** What the engine needs of the world, as interfaces: the objects and the Worker wire them to storage, network and clock. */
import type {
  AdmitCommand,
  AdmitResult,
  EndResult,
  ExtendCommand,
  ExtendResult,
  ReleaseCommand,
  SettleCommand,
} from "../../schema/ledger.ts";
import type { KeptResponse } from "../../schema/conversation.ts";
import type { Recording } from "../../schema/recording.ts";
import type { LifecycleFrame, OpenRequest, Progress, RequestState } from "../../schema/request.ts";
import type { HealthPort } from "../runtime/ask-address.ts";
import type { RuntimePorts } from "../runtime/send-attempt.ts";
import type { UpstreamRecord } from "./upstream-recorder.ts";

/** The account's ledger, in the same object or one RPC away. Every command may be repeated. */
export interface LedgerPort {
  admit: (command: AdmitCommand) => Promise<AdmitResult>;
  settle: (command: SettleCommand) => Promise<EndResult>;
  release: (command: ReleaseCommand) => Promise<EndResult>;
  extend: (command: ExtendCommand) => Promise<ExtendResult>;
}

/** An answer kept for the same `Idempotency-Key`. */
export interface StoredAnswer {
  status: number;
  headers: Record<string, string>;
  body: Uint8Array;
}

/** The lane's own rows: each request from before its dispatch to after its settlement. All calls are synchronous and durable before any answer leaves. */
export interface RequestStore {
  open: (id: string, facts: OpenRequest, frames: readonly LifecycleFrame[]) => void;
  save: (id: string, change: { state: RequestState; frames: readonly LifecycleFrame[]; progress: Progress | null }) => void;
  keepAnswer: (id: string, answer: StoredAnswer) => void;
  answer: (id: string) => StoredAnswer | null;
}

/** What a recorded stream says of itself beside its events. */
export interface StreamFacts {
  headers: Record<string, string>;
  /** Its events have `id:` lines of ours; else they say their own numbers. */
  numbered: boolean;
  /** The event that ends it for its readers when its owner died, or when it grew too large to be kept. */
  interrupted: string;
  too_large: string;
}

/** One stream while it runs. Readers get each event as soon as it is added. */
export interface StreamRecord {
  /** Takes a whole event, by ascending numbers. */
  add: (number: number, bytes: Uint8Array) => void;
  /** Writes down what is not yet stored. */
  save: () => void;
  end: () => void;
  /** Forgets it. */
  drop: () => void;
}

export interface StreamStore {
  open: (id: string, facts: StreamFacts) => StreamRecord;
  /** The whole of it, as it was sent; null when there is none. */
  replay: (id: string) => Response | null;
}

/** Answers of the Responses API, kept for their accounts in an object of their own. */
export interface ConversationPort {
  /** Never throws: an answer that could not be kept is still an answer. */
  keep: (accountId: string, response: KeptResponse) => Promise<void>;
}

/** Where upstream bytes are kept that were recorded on request. Never throws: a recording that is lost costs nobody anything. */
export interface RecordingPort {
  keep: (facts: Omit<Recording, "steps" | "stopped" | "events">, record: UpstreamRecord) => Promise<void>;
}

export interface OwnerPorts {
  /** The lane's name, stored with the hold. */
  lane: string;
  ledger: LedgerPort;
  /** The ledger is in this very object: its answer comes before anything else can happen, so one stored transition covers both. */
  ledgerIsLocal: boolean;
  requests: RequestStore;
  streams: StreamStore;
  conversations: ConversationPort;
  recordings: RecordingPort;
  /** What ends a request that its caller calls off while it runs. */
  onCancel: (id: string, cancel: () => Promise<void>) => void;
  runtime: RuntimePorts;
  /** The health of providers' addresses, shared by all requests of the lane. */
  health: HealthPort;
  /** In [0, 1). */
  random: () => number;
  everySecond: (tick: () => void) => () => void;
  /** Two ends of a byte pipe without a transform. */
  bytePipe: () => { readable: ReadableStream<Uint8Array>; writable: WritableStream<Uint8Array> };
  /** Keeps the object alive until the promise ends, client or not. */
  keepAlive: (work: Promise<unknown>) => void;
  /** Shows a frame to whoever watches the request now. */
  publish: (id: string, frame: LifecycleFrame) => void;
  /** Runs `action` again and again with growing pauses until it succeeds; the object's alarm takes over should the object die. */
  untilDone: (action: () => Promise<void>) => Promise<void>;
}
