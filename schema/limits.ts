/**
 * Every bound of the system, in one place, with its unit in its name.
 *
 * A buffer, a loop, a retry or a stream that has no entry here is a defect: hostile-input tests read this object.
 */
export const LIMITS = {
  // --- what a caller may send
  /** Below the 32 MiB that one RPC message may carry. */
  requestBodyBytes: 24 * 1024 * 1024,
  /** Of a refused body, read and forgotten so that its sender gets to see the refusal. */
  discardedBodyBytes: 48 * 1024 * 1024,
  /** Members of a caller's body, and of all the objects right inside it: each that nobody knows is looked up, and named as lost. */
  fieldsPerRequest: 1_000,
  innerFieldsPerRequest: 20_000,
  /** Rendered bodies of all attempts, which travel in one RPC message: translated, many small blocks grow. */
  renderedBodyBytes: 30 * 1024 * 1024,
  adminBodyBytes: 4 * 1024 * 1024,
  jsonDepth: 128,
  /** Members, elements and containers of a caller's body: each costs far more memory than its byte or two of text. */
  jsonValuesPerRequest: 500_000,
  messagesPerRequest: 20_000,
  toolsPerRequest: 512,
  /** What the largest of the providers takes in one call. */
  embeddingInputsPerRequest: 2_048,
  /** Several times the longest vector of any known model. */
  embeddingDimensions: 65_536,
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
  // --- attempts at providers, before the first byte
  fallbacksPerModel: 4,
  /** Tries at one address beyond the first. */
  retriesPerAttempt: 2,
  retryBaseMilliseconds: 250,
  /** The longest a caller is kept waiting for one retry. */
  retryWaitMilliseconds: 2_000,
  /** Failures in a row that open an address's circuit breaker. */
  breakerFailures: 5,
  breakerPauseMilliseconds: 5_000,
  breakerPauseMillisecondsMax: 5 * 60_000,
  /** After this a trial that nobody ended no longer counts. */
  breakerTrialMilliseconds: 60_000,
  breakersKept: 512,
  /** For how long an address that failed twice in a row comes after others that did not. */
  degradedMilliseconds: 30_000,
  // --- the router
  /** Of the last thing that was asked, what the classifier is shown. */
  classifiedCharacters: 16_000,
  preferencesPerConfig: 256,
  modelsPerPreference: 64,
  /** Models that are looked at for one request. */
  routingCandidates: 1_024,
  /** Of these, how many are stored with the request and shown. */
  routingCandidatesShown: 12,
  /** Conversations whose model an account's object remembers, and for how long unless the configuration says otherwise. */
  routingPinsKept: 10_000,
  routingPinSeconds: 600,
  routingPinSecondsMax: 86_400,
  /** How long a router model may think, and what it may say. */
  routerModelMilliseconds: 1_500,
  routerModelTokens: 256,
  /** Of the conversation, what a router model is shown: somewhat less than the tokens it was trained on, at four characters each. */
  routerModelTurns: 16,
  routerModelCharacters: 7_000,
  orchestratorCharacters: 30_000,
  // --- ensembles: several calls under one hold
  ensembleNodes: 16,
  /** Nodes on the longest way through the graph. */
  ensembleDepth: 4,
  proposersPerEnsemble: 8,
  ensembleDeadlineMilliseconds: 45_000,
  /** Below `upstreamIdleMilliseconds`, since a caller hears nothing of the answer meanwhile. */
  ensembleDeadlineMillisecondsMax: 100_000,
  /** How long the first sign of life waits, so that a failure at once is a real status. */
  ensembleFirstFrameMilliseconds: 500,
  /** How long a settlement waits for proposers that were overtaken and whose whole answer is owed anyway. */
  overtakenWaitMilliseconds: 2_000,
  /** What the aggregator is shown of a proposal, by its output cap; prose of any script stays below it. */
  proposalBytesPerToken: 6,
  /** The marks around one proposal. */
  proposalFrameBytes: 128,
  /** Answers longer than this are not compared. */
  consensusCharacters: 256,
  // --- streams and memory in one lane object (the isolate has 128 MB, shared by all of them)
  streamsPerLane: 128,
  /** How long the answer's status line waits for the upstream's first event, so that an early error is a real status. */
  firstEventWaitMilliseconds: 5_000,
  /** How long it waits in all, while no upstream has answered at all: then the caller is told that its request is alive. */
  silenceMilliseconds: 20_000,
  /** Of an answer that has not begun, kept back while another candidate could take its place. */
  heldBeginningBytes: 256 * 1024,
  errorBodyBytes: 256 * 1024,
  replayAnswerBytes: 8 * 1024 * 1024,
  replayPartBytes: 1024 * 1024,
  bufferedBytesPerStream: 256 * 1024,
  frameBytes: 16 * 1024 * 1024,
  /** Headers of one frame of Amazon's event stream, by its specification. */
  eventStreamHeaderBytes: 128 * 1024,
  /** What is kept of an upstream's own error message. */
  upstreamErrorCharacters: 2_000,
  /** The longest wait an upstream may name: a month, as quotas have. */
  retryAfterSecondsMax: 31 * 86_400,
  /** What is kept of a word an upstream chose: a finish reason, an id. */
  upstreamWordCharacters: 256,
  unaryResponseBytes: 32 * 1024 * 1024,
  // --- recorded streams, which a caller who lost one goes on with
  /** Of one stream. What is beyond it reaches its first caller only. */
  resumableBytes: 16 * 1024 * 1024,
  /** Of one stream in memory, before it is written; and one row of it. */
  resumableTailBytes: 32 * 1024,
  resumablePartBytes: 1024 * 1024,
  resumableRetentionMilliseconds: 24 * 3_600_000,
  resumablePruneRows: 500,
  // --- upstream bytes that are recorded to be replayed (schema/recording.ts)
  /** Bytes and events of one request together; one that says more is not recorded. */
  recordedBytes: 4 * 1024 * 1024,
  recordedPieces: 50_000,
  recordingDaysMax: 365,
  /** Recordings past their days that one pass of the cron job deletes. */
  recordingsSweptPerPass: 500,
  // --- answers of the Responses API, kept as a conversation's state
  /** One call's own input and answer; what is larger is not kept. */
  conversationResponseBytes: 6 * 1024 * 1024,
  /** All turns that one `previous_response_id` stands for. */
  conversationHistoryBytes: 16 * 1024 * 1024,
  conversationHistoryTurns: 1_000,
  /** Of one account: beyond it the oldest go. */
  conversationAccountBytes: 1024 * 1024 * 1024,
  conversationPartBytes: 1024 * 1024,
  conversationRetentionMilliseconds: 30 * 24 * 3_600_000,
  /** How long the end of an answer waits for its being kept. */
  conversationWaitMilliseconds: 2_000,
  conversationSweepMilliseconds: 3_600_000,
  conversationSweepRows: 500,
  /** Earlier items that one call may name by their ids. */
  conversationReferences: 2_000,
  responseIdCharacters: 256,
  lanesPerAccount: 64,
  /** Full lanes tried for one request. */
  laneHops: 4,
  // --- time
  upstreamHeadersMilliseconds: 120_000,
  upstreamIdleMilliseconds: 120_000,
  /** A provider that shows signs of life but no content: some models think for minutes and show nothing of it. */
  upstreamFirstTokenMilliseconds: 5 * 60_000,
  /** Chunks that come faster than this are written together. */
  writeGatherMilliseconds: 1,
  /** A client that takes nothing for this long counts as gone. */
  clientStallMilliseconds: 60_000,
  /** After an error in the stream, its last bytes may still come for this long. */
  errorTailMilliseconds: 2_000,
  streamTotalMilliseconds: 12 * 60_000,
  drainMilliseconds: 10 * 60_000,
  heartbeatMilliseconds: 15_000,
  /** The same where a client that has left is to be found within a second, so that its upstream ends: it takes two writes. */
  probeMilliseconds: 300,
  holdTtlMilliseconds: 25 * 60_000,
  progressWriteMilliseconds: 1_000,
  settleRetryMillisecondsMax: 60_000,
  settleBeforeEndMilliseconds: 2_000,
  configCacheMilliseconds: 2_000,
  /** After so long a refresh that has not ended is taken for lost, and another one is begun. */
  configRefreshMilliseconds: 10_000,
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
  /** Calls of ensembles in one bound parameter, as text beside their rows: quoted twice, so that it may become half as long again. */
  d1LegCharacters: 100_000,
  /** Texts of entries in one bound parameter: a third of its bytes, since a character may take three. */
  d1SourceCharacters: 600_000,
  /** An object's first entry waits that long for D1 to say how far it has this ledger. */
  restoreCheckMilliseconds: 2_000,
  /** Entries of one replay call to an object; with records at their longest they stay below what one call may carry. */
  restoreRowsPerCall: 250,
  /** Beyond the 30 days that an object can be restored back to. */
  entrySourceRetentionMilliseconds: 45 * 24 * 3_600_000,
  /** After a batch failed: messages in a row that may fail alone too before D1 itself counts as down. */
  loneMessageFailures: 3,
  /** Unbroken runs of one account's entries that are read from one database at once; more means it lost most of them. */
  runsPerDatabase: 10_000,
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
  // --- bulk: exports, archived months, further databases
  /** An invocation may ask D1 a thousand times, so this is also what bounds an export: millions of rows. */
  exportRowsPerPage: 5_000,
  /** Rows in one object of the archive, so that reading any of them takes little memory. */
  archiveRowsPerPart: 5_000,
  archivePartsPerPass: 100,
  /** A month is archived no sooner than this after it ended, when every message of it has come. */
  archiveGraceMilliseconds: 3 * 24 * 3_600_000,
  shardMapCacheMilliseconds: 60_000,
  /** A new rule of the shard map must be known everywhere before its first month begins. */
  shardMapLeadMilliseconds: 3_600_000,
  rerateRowsPerCall: 100_000,
  reportAccountsPerPage: 20,
  // --- exchange rates
  fxDocumentBytes: 1024 * 1024,
  fxFetchMilliseconds: 10_000,
  // --- tokens and prices
  /** A provider that reports more of one class is wrong; with the price cap, provider cost fits 64 bits. */
  tokensPerClassMax: 100_000_000,
  outputTokensDefault: 4_096,
  /** Cap sent upstream, and held for, when the caller names none and the model would allow more. */
  outputTokensUnasked: 16_384,
  choicesPerRequest: 128,
  // --- payments
  webhookBodyBytes: 256 * 1024,
  signaturesPerWebhook: 16,
  /** How far a signed webhook's time may be from ours, to both sides. */
  webhookToleranceSeconds: 300,
  paymentApiMilliseconds: 8_000,
  paymentApiBodyBytes: 4 * 1024 * 1024,
  /** A pending order is asked about from this age on, ever more rarely, and no more after the last. */
  orderPollAfterMilliseconds: 10 * 60_000,
  orderPollUntilMilliseconds: 14 * 24 * 3_600_000,
  ordersPerPoll: 50,
  /** Pages of one list, or steps of one webhook's questions. */
  paymentPagesPerPoll: 20,
  /** Notices that wait for something are tried again for this long. */
  noticeRetryMilliseconds: 30 * 24 * 3_600_000,
  noticesPerRetry: 100,
  // --- people and their pages
  formBodyBytes: 64 * 1024,
  /** One request of the playground, to up to four models. */
  playgroundBodyBytes: 1024 * 1024,
  personNameCharacters: 80,
  emailCharacters: 254,
  /** The library hashes what it is given; longer texts only cost time. */
  passwordCharactersMin: 10,
  passwordCharactersMax: 128,
  sessionSeconds: 14 * 86_400,
  /** A session in use is prolonged once it is this old. */
  sessionRenewSeconds: 86_400,
  /** Wrong guesses of one address, and from one network, in one window. */
  signInAttemptsPerAddress: 10,
  signInAttemptsPerNetwork: 50,
  signInWindowMilliseconds: 15 * 60_000,
  invitationMilliseconds: 7 * 86_400_000,
  ownerLinkMilliseconds: 24 * 3_600_000,
  demoLinkMilliseconds: 7 * 86_400_000,
  organisationsPerPerson: 50,
  membersPerOrganisation: 500,
  openInvitationsPerOrganisation: 100,
  projectsPerOrganisation: 200,
  /** Of the newest requests, from which percentiles on the overview are taken. */
  overviewRequests: 500,
  // --- one account's ledger
  keysPerAccount: 10_000,
  openHoldsPerAccount: 20_000,
  holdExpiryRowsPerPass: 100,
  // --- our own webhooks
  webhookUrlCharacters: 2_048,
  deploymentsPerModel: 16,
  guardMessageCharacters: 2_048,
  /** Of one extra header of a configured provider. */
  configHeaderCharacters: 1_024,
  /** What a collector may take to answer, and how long after a failure the batch comes again; wrangler.toml says how often. */
  telemetryMilliseconds: 10_000,
  telemetryRetrySeconds: 300,
  /** Queues take 256 kB in one call, and a record has below 10 kB. */
  telemetryMessagesPerBatch: 20,
  webhooksPerAccount: 32,
  webhookMilliseconds: 15_000,
  /**
   * Waits after the first, second… failed attempt, in seconds: three days and five hours in all. The specification's own schedule, with the
   * queue's longest delay (12 hours) in place of its longest waits.
   */
  webhookRetrySeconds: [5, 300, 1_800, 7_200, 18_000, 36_000, 43_200, 43_200, 43_200, 43_200, 43_200],
  queueDelaySecondsMax: 43_200,
  /** Attempts that a delivery's log keeps, over replays too. */
  webhookAttemptsLogged: 20,
  /** Ended deliveries kept for one receiver, and for how long. */
  webhookDeliveriesKept: 10_000,
  webhookRetentionMilliseconds: 30 * 24 * 3_600_000,
  /** Deliveries that may wait for one receiver before it is turned off. */
  webhookPendingMax: 100_000,
  /** An entry that reaches us later than this is no news. */
  webhookNewsMilliseconds: 7 * 24 * 3_600_000,
  webhookSweepRows: 1_000,
  webhookPruneRows: 10_000,
  /** A limit that refuses again and again is told of once in this time. */
  noticeAgainMilliseconds: 60_000,
  noticeKeysRemembered: 1_024,
  // --- limits of keys, accounts and the configuration
  /** Requests or tokens in one unit of time. Times a day's milliseconds it stays an exact number. */
  rateMax: 100_000_000,
  modelRatesPerOwner: 64,
  ratesPerConfig: 256,
  /** Of a header's value that tells calls apart; what is longer is cut. */
  rateSelectorCharacters: 256,
  /** Counts kept at once for one account. Those that are full again are no counts and are let go. */
  rateBucketsPerAccount: 50_000,
  /** What an answer of unknown length is taken to use at least, before a rate of tokens lets it begin. */
  outputTokensLikely: 256,
  ledgerPageRowsMax: 1_000,
  snapshotsCached: 1_024,
  // --- looking on
  /** Pages that may follow one account at once, how often it looks for news for them, and after how long they have to ask again. */
  liveWatchersPerAccount: 64,
  liveLookMilliseconds: 400,
  /** A reader that has gone is found out by the next write, so this is also how long its place may stay taken. */
  liveHeartbeatMilliseconds: 5_000,
  liveStreamMilliseconds: 120_000,
  /** Newest requests that are looked through for the router's decisions, and how many of those are shown. */
  decisionsSearched: 500,
  decisionsShown: 20,
  liveRunningShown: 50,
  liveEndedShown: 20,
} as const;
