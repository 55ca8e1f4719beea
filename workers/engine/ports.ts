/** What the engine needs of the world, as interfaces: the objects and the Worker wire them to storage, network and clock. */
import type { AdmitCommand, AdmitResult, EndResult, ReleaseCommand, SettleCommand } from "../../schema/ledger.ts";
import type { LifecycleFrame, OpenRequest, Progress, RequestState } from "../../schema/request.ts";
import type { RuntimePorts } from "../runtime/send-attempt.ts";

/** The account's ledger, in the same object or one RPC away. Every command may be repeated. */
export interface LedgerPort {
  admit: (command: AdmitCommand) => Promise<AdmitResult>;
  settle: (command: SettleCommand) => Promise<EndResult>;
  release: (command: ReleaseCommand) => Promise<EndResult>;
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

export interface OwnerPorts {
  /** The lane's name, stored with the hold. */
  lane: string;
  ledger: LedgerPort;
  /** The ledger is in this very object: its answer comes before anything else can happen, so one stored transition covers both. */
  ledgerIsLocal: boolean;
  requests: RequestStore;
  runtime: RuntimePorts;
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
