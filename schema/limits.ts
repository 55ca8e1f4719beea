/**
 * Every bound of the system, in one place, with its unit in its name.
 *
 * A buffer, a loop, a retry or a stream that has no entry here is a defect: hostile-input tests read this object.
 */
export const LIMITS = {
  // --- what a caller may send
  requestBodyBytes: 32 * 1024 * 1024,
  adminBodyBytes: 4 * 1024 * 1024,
  jsonDepth: 128,
  messagesPerRequest: 20_000,
  toolsPerRequest: 512,
  idempotencyKeyCharacters: 255,
  modelNameCharacters: 256,
  // --- streams and memory in one lane object (the isolate has 128 MB, shared by all of them)
  streamsPerLane: 128,
  bufferedBytesPerStream: 256 * 1024,
  frameBytes: 16 * 1024 * 1024,
  /** What is kept of an upstream's own error message. */
  upstreamErrorCharacters: 2_000,
  unaryResponseBytes: 32 * 1024 * 1024,
  lanesPerAccount: 64,
  // --- time
  upstreamHeadersMilliseconds: 120_000,
  upstreamIdleMilliseconds: 120_000,
  streamTotalMilliseconds: 12 * 60_000,
  drainMilliseconds: 10 * 60_000,
  heartbeatMilliseconds: 15_000,
  holdTtlMilliseconds: 25 * 60_000,
  progressWriteMilliseconds: 1_000,
  settleRetryMillisecondsMax: 60_000,
  settleBeforeEndMilliseconds: 2_000,
  configCacheMilliseconds: 2_000,
  idempotencyRetentionMilliseconds: 24 * 3_600_000,
  // --- retries
  outboxRowsPerBatch: 100,
  outboxBytesPerBatch: 200 * 1024,
  outboxRetryMillisecondsMax: 60_000,
  lifecycleFramesPerRequest: 64,
  // --- pages of lists
  pageRowsDefault: 50,
  pageRowsMax: 500,
  verifiedKeysCached: 4_096,
  // --- tokens and prices
  /** A provider that reports more of one class is wrong; with the price cap, provider cost fits 64 bits. */
  tokensPerClassMax: 100_000_000,
  outputTokensDefault: 4_096,
  choicesPerRequest: 128,
  // --- one account's ledger
  keysPerAccount: 10_000,
  openHoldsPerAccount: 20_000,
  holdExpiryRowsPerPass: 100,
  limitRebuildRows: 10_000,
  ledgerPageRowsMax: 1_000,
} as const;
