/**
 * Every bound of the system, in one place, with its unit in its name.
 *
 * A buffer, a loop, a retry or a stream that has no entry here is a defect: hostile-input tests read this object.
 */
export const LIMITS = {
  // --- what a caller may send
  /** Below the 32 MiB that one RPC message may carry. */
  requestBodyBytes: 24 * 1024 * 1024,
  adminBodyBytes: 4 * 1024 * 1024,
  jsonDepth: 128,
  messagesPerRequest: 20_000,
  toolsPerRequest: 512,
  /** What the largest of the providers takes in one call. */
  embeddingInputsPerRequest: 2_048,
  answerHeaderCharacters: 2_000,
  idempotencyKeyCharacters: 255,
  modelNameCharacters: 256,
  // --- media that callers name by address and a provider takes only as bytes
  mediaPerRequest: 20,
  /** One picture or document: what the largest of the providers takes inline. */
  mediaBytes: 10 * 1024 * 1024,
  /** All of a request, so that they fit its RPC message as base64. */
  mediaBytesPerRequest: 12 * 1024 * 1024,
  mediaRedirects: 3,
  mediaAtOnce: 4,
  /** From the first byte asked for to the last one read, redirects included. */
  mediaMilliseconds: 10_000,
  mediaAddressCharacters: 8_192,
  // --- streams and memory in one lane object (the isolate has 128 MB, shared by all of them)
  streamsPerLane: 128,
  /** How long the answer's status line waits for the upstream's first event, so that an early error is a real status. */
  firstEventWaitMilliseconds: 5_000,
  errorBodyBytes: 256 * 1024,
  replayAnswerBytes: 8 * 1024 * 1024,
  replayPartBytes: 1024 * 1024,
  bufferedBytesPerStream: 256 * 1024,
  frameBytes: 16 * 1024 * 1024,
  /** Headers of one frame of Amazon's event stream, by its specification. */
  eventStreamHeaderBytes: 128 * 1024,
  /** What is kept of an upstream's own error message. */
  upstreamErrorCharacters: 2_000,
  /** What is kept of a word an upstream chose: a finish reason, an id. */
  upstreamWordCharacters: 256,
  unaryResponseBytes: 32 * 1024 * 1024,
  lanesPerAccount: 64,
  /** Full lanes tried for one request. */
  laneHops: 4,
  // --- time
  upstreamHeadersMilliseconds: 120_000,
  upstreamIdleMilliseconds: 120_000,
  /** Chunks that come faster than this are written together. */
  writeGatherMilliseconds: 1,
  /** A client that takes nothing for this long counts as gone. */
  clientStallMilliseconds: 60_000,
  /** After an error in the stream, its last bytes may still come for this long. */
  errorTailMilliseconds: 2_000,
  streamTotalMilliseconds: 12 * 60_000,
  drainMilliseconds: 10 * 60_000,
  heartbeatMilliseconds: 15_000,
  holdTtlMilliseconds: 25 * 60_000,
  progressWriteMilliseconds: 1_000,
  settleRetryMillisecondsMax: 60_000,
  settleBeforeEndMilliseconds: 2_000,
  configCacheMilliseconds: 2_000,
  metricsCacheMilliseconds: 5_000,
  idempotencyRetentionMilliseconds: 24 * 3_600_000,
  // --- retries
  /** From this many requests under way on, writes wait for each other for so long. */
  groupCommitRequests: 4,
  groupCommitMilliseconds: 1,
  watchdogMilliseconds: 30_000,
  outboxFlushMilliseconds: 250,
  outboxResendMilliseconds: 60_000,
  queueRetrySeconds: 5,
  reconcileRowsPerPass: 10_000,
  /** Rows in one bound parameter of D1, which takes 2,000,000 bytes; a row with every text at its longest has below 4,000. */
  d1RowsPerStatement: 450,
  /** After a batch failed: messages in a row that may fail alone too before D1 itself counts as down. */
  loneMessageFailures: 3,
  /** Findings of one kind that a reconciliation names. */
  auditRows: 100,
  outboxRowsPerBatch: 100,
  /** A queue message carries 128,000 bytes; one entry above this goes alone. */
  outboxBytesPerMessage: 100_000,
  outboxRetryMillisecondsMax: 60_000,
  lifecycleFramesPerRequest: 64,
  requestRetentionMilliseconds: 7 * 24 * 3_600_000,
  // --- pages of lists
  pageRowsDefault: 50,
  pageRowsMax: 500,
  modelsPerPageMax: 1_000,
  verifiedKeysCached: 4_096,
  // --- tokens and prices
  /** A provider that reports more of one class is wrong; with the price cap, provider cost fits 64 bits. */
  tokensPerClassMax: 100_000_000,
  outputTokensDefault: 4_096,
  /** Cap sent upstream, and held for, when the caller names none and the model would allow more. */
  outputTokensUnasked: 16_384,
  choicesPerRequest: 128,
  // --- one account's ledger
  keysPerAccount: 10_000,
  openHoldsPerAccount: 20_000,
  holdExpiryRowsPerPass: 100,
  limitRebuildRows: 10_000,
  ledgerPageRowsMax: 1_000,
  snapshotsCached: 1_024,
} as const;
