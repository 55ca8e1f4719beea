/**
 * One simulated deployment: accounts with their objects and lanes, the queue and its consumers, D1, payment providers. It does what an
 * operation says and nothing by itself; whatever then breaks an invariant is noted with the invariant's name.
 */
import { creditResultSchema, type AdmitCommand } from "../../schema/ledger.ts";
import { keyLimitsSchema } from "../../schema/key.ts";
import type { Finished, LedgerEnd } from "../../workers/engine/settle-request.ts";
import { type Fields, fieldsOf, keyOf } from "./auditor.ts";
import { Books } from "./books.ts";
import { databaseBinding, type Faults, openDatabase } from "./database.ts";
import { checkRollups, checkSubset } from "./delivery.ts";
import { LaneHost } from "./lane-host.ts";
import { remoteCall, stubOf } from "./network.ts";
import { type Life, ObjectHost } from "./object-host.ts";
import type { Setting } from "./operations.ts";
import { type Booking, Payments } from "./payments.ts";
import type { Product } from "./product.ts";
import { Queue } from "./queue.ts";
import { type Admission, bodyHash, type Finish, finishedRun, reported, requestId, snapshotOf } from "./requests.ts";
import { installGlobals, Schedule } from "./schedule.ts";
import type { Statements } from "./storage.ts";

export interface Violation {
  invariant: string;
  detail: string;
}

export interface Account {
  id: string;
  host: ObjectHost;
  lanes: LaneHost[];
  books: Books;
}

interface RequestFacts {
  admission: Admission;
  admittedAt: number;
  finish: Finish | null;
}

/** A call that can be repeated, word for word. */
export interface Sent {
  account: Account;
  method: string;
  command: Fields;
}

const HISTORY_MAX = 64;

export class World {
  readonly schedule = new Schedule();
  readonly accounts: Account[] = [];
  readonly database: Statements = openDatabase();
  readonly databaseFaults: Faults = { before: 0, after: 0 };
  readonly queue: Queue;
  readonly payments = new Payments();
  readonly requests = new Map<string, RequestFacts>();
  readonly history: Sent[] = [];
  readonly product: Product;
  readonly setting: Setting;
  /** Consumers under way; each can die. */
  readonly consumers = new Set<{ die: () => void }>();
  violation: Violation | null = null;
  readonly #count: (what: string) => void;
  #rows = 0;

  constructor(product: Product, setting: Setting, count: (what: string) => void) {
    this.product = product;
    this.setting = setting;
    this.#count = count;
    this.queue = new Queue(this.schedule, (how) => count(`queue fails ${how}`));
    installGlobals(this.schedule, { log: () => undefined, opened: (ledger, storage) => this.#opened(ledger, storage) });
    for (let number = 0; number < setting.accounts; number++) this.accounts.push(this.#newAccount(number));
  }

  /** Keys and the opening balance of each account. */
  async open(): Promise<void> {
    for (const [number, { host, books }] of this.accounts.entries()) {
      const { parallel, spendPerDay, opening } = this.setting;
      const limits = keyLimitsSchema.parse({ parallel_requests: Math.max(1, parallel), spend_micro_rub_per_day: Math.max(1, spendPerDay) });
      for (const [index, each] of [keyLimitsSchema.parse({}), limits].entries()) {
        const key = { key_id: keyId(number, index), key_hash: keyHash(number, index), name: `key ${index}`, limits: each };
        books.auditor.keys.set(key.key_hash, keyOf(key.key_id, bigintOf(each.parallel_requests), bigintOf(each.spend_micro_rub_per_day)));
        await host.call("createKey", [key]);
      }
      if (opening === 0) continue;
      this.payments.end({ op: "pay", account: number, payment: number, amount: opening, succeeds: true });
      const booking = this.payments.webhook(number);
      if (booking !== null) await this.#book(booking, host);
    }
  }

  close(): void {
    for (const { host } of this.accounts) host.close();
    this.database.close();
  }

  violated(invariant: string, detail: string): void {
    this.violation ??= { invariant, detail };
  }

  account(number: number): Account {
    const account = this.accounts[number % this.accounts.length];
    if (account === undefined) throw new Error("there is no account");
    return account;
  }

  /** The bindings as whoever lives `life` sees them. */
  bindings(life: Life): object {
    return {
      DB: databaseBinding({
        statements: this.database,
        schedule: this.schedule,
        faults: this.databaseFaults,
        life,
        changed: () => this.#databaseChanged(),
        failed: (how) => this.#count(`D1 fails ${how}`),
      }),
      USAGE_QUEUE: this.queue.binding(life),
      ACCOUNT: { idFromName: itself, get: (name: string) => stubOf(this.schedule, life, this.#hostOf(name)) },
      REQUEST: { idFromName: itself, get: (name: string) => stubOf(this.schedule, life, this.#laneOf(name)) },
    };
  }

  /** Starts a request at its lane. */
  admit(admission: Admission): void {
    const account = this.account(admission.account);
    const id = requestId(admission.request);
    const known = this.requests.get(id);
    if (known === undefined) this.requests.set(id, { admission, admittedAt: this.schedule.now, finish: null });
    const { admission: first } = known ?? { admission };
    const lane = account.lanes[first.lane % account.lanes.length];
    void lane?.serve(this.#admitCommand(first));
  }

  finish(finish: Finish): void {
    const id = requestId(finish.request);
    const facts = this.requests.get(id);
    if (facts === undefined || facts.finish !== null) return;
    const { lanes } = this.account(facts.admission.account);
    const lane = lanes[facts.admission.lane % lanes.length];
    // What the upstream used is a fact from its end on, whoever hears of it.
    if (lane?.rows.has(id) !== true) return;
    facts.finish = finish;
    lane.finish(id, this.#finished(id));
  }

  extend(request: number, command: { hold: number; ttl: number }): void {
    const facts = this.requests.get(requestId(request));
    if (facts === undefined) return;
    const account = this.account(facts.admission.account);
    this.send(account, "extend", {
      request_id: requestId(request),
      hold_micro_rub: String(command.hold),
      ttl_ms: Math.max(1, command.ttl),
    });
  }

  /** Corrects a request to what its provider's report says. */
  trueUp(request: number, tokens: { input: number; cached: number; output: number }): void {
    const facts = this.requests.get(requestId(request));
    if (facts === undefined) return;
    const command = { request_id: requestId(request), facts: this.charge(request, tokens) };
    this.send(this.account(facts.admission.account), "trueUp", command);
  }

  /** How a request might have ended instead; null for one nobody asked for. */
  otherEnd(id: string): LedgerEnd | null {
    const facts = this.requests.get(id);
    if (facts === undefined) return null;
    const finish: Finish = { op: "finish", request: facts.admission.request, how: "usage", input: 5, cached: 0, output: 5 };
    return this.product.ledgerEnd(this.#finishedBy(facts, finish));
  }

  /** The facts of a charge for these tokens, at the request's prices. */
  charge(request: number, tokens: { input: number; cached: number; output: number }): Fields {
    const snapshot = snapshotOf(request);
    const usage = reported(tokens);
    const cost = this.product.costOf(snapshot, usage);
    return {
      usage,
      usage_source: "provider",
      cost_micro_rub: String(cost.costMicroRub),
      provider_cost_pico_usd: String(cost.providerCostPicoUsd),
      provider_cost_micro_rub: String(this.product.providerCostMicroRub(cost.providerCostPicoUsd, snapshot)),
      flagged: cost.flagged,
    };
  }

  /** Tells an account of money from outside; whether it has it is known when it answers. */
  book(booking: Booking | null): void {
    if (booking === null || booking.isBooked) this.#count("webhook of nothing new");
    if (booking === null) return;
    const account = this.account(booking.account);
    void this.#book(booking, {
      call: (method, parameters) => {
        this.#sent(account, method, fieldsOf(parameters[0]));
        return remoteCall(this.schedule, FOREVER, account.host, method, parameters);
      },
    });
  }

  /** A call whose answer nobody waits for. */
  send(account: Account, method: string, command: Fields): void {
    this.#sent(account, method, command);
    remoteCall(this.schedule, FOREVER, account.host, method, [command]).catch(() => undefined);
  }

  async #book(booking: Booking, callee: { call: (method: string, parameters: readonly unknown[]) => Promise<unknown> }): Promise<void> {
    try {
      const result = creditResultSchema.parse(await callee.call("credit", [booking.command]));
      if (result.state === "credited" || result.state === "exists" || result.state === "out_of_range") booking.isBooked = true;
    } catch {
      // It is told again.
    }
  }

  #sent(account: Account, method: string, command: Fields): void {
    this.history.push({ account, method, command });
    if (this.history.length > HISTORY_MAX) this.history.shift();
  }

  #newAccount(number: number): Account {
    const id = `acc_simulated${number}`;
    const host = new ObjectHost({
      name: id,
      schedule: this.schedule,
      product: () => this.product,
      bindings: (life) => this.bindings(life),
      passed: (where) => this.#count(`failpoint ${where}`),
      complained: (where, error) => this.violated("threw", `${id} in ${where}: ${error instanceof Error ? error.message : String(error)}`),
      born: () => this.#count("object starts"),
      died: (where) => {
        this.#count("object dies");
        this.#count(`object dies: ${where}`);
      },
    });
    const books = new Books({
      host,
      schedule: this.schedule,
      violated: (invariant, detail) => this.violated(invariant, detail),
      truth: (request) => this.#truth(request),
      counted: this.#count,
      paid: (reference) => this.payments.paid(reference),
      recorded: (seq) => {
        this.#count("checked I15");
        const stored = Number(this.database.one("SELECT count(*) AS n FROM entry WHERE account_id = ? AND seq <= ?", id, seq)["n"]);
        if (stored !== seq) this.violated("I15", `${id} was told that D1 has ${seq} entries, of which it has ${stored}`);
      },
    });
    const account: Account = { id, host, lanes: [], books };
    for (let lane = 0; lane < this.setting.lanes; lane++) account.lanes.push(this.#newLane(account, lane + 1));
    return account;
  }

  #newLane(account: Account, lane: number): LaneHost {
    return new LaneHost({
      name: `${account.id}:${lane}`,
      lane: `lane-${lane}`,
      schedule: this.schedule,
      product: () => this.product,
      account: account.host,
      orphaned: (id) => this.#finished(id),
      sent: (method, command) => this.#sent(account, method, fieldsOf(command)),
    });
  }

  #opened(ledger: object, storage: object): object {
    const account = this.accounts.find(({ host }) => host.owns(storage));
    if (account === undefined) throw new Error("a ledger was opened on nobody's storage");
    return account.books.watch(ledger);
  }

  #hostOf(name: string): ObjectHost {
    const account = this.accounts.find(({ id }) => id === name);
    if (account === undefined) throw new Error(`there is no account ${name}`);
    return account.host;
  }

  #laneOf(name: string): LaneHost {
    const lane = this.accounts.flatMap(({ lanes }) => lanes).find((each) => each.name === name);
    if (lane === undefined) throw new Error(`there is no lane ${name}`);
    return lane;
  }

  #admitCommand(admission: Admission): AdmitCommand {
    const accountNumber = admission.account % this.accounts.length;
    return {
      request_id: requestId(admission.request),
      key_hash: keyHash(accountNumber, admission.key % 2),
      idempotency_key: admission.idempotency === null ? null : `wish-${admission.idempotency}`,
      body_hash: bodyHash(admission),
      hold_micro_rub: String(admission.hold),
      snapshot: JSON.stringify(snapshotOf(admission.request)),
      model: "alpha/one",
      lane: `lane-${(admission.lane % this.setting.lanes) + 1}`,
      ttl_ms: Math.max(1, admission.ttl),
      tokens_bound: 100,
    };
  }

  #finished(id: string): Finished {
    const facts = this.requests.get(id);
    if (facts === undefined) throw new Error(`nobody asked for ${id}`);
    return this.#finishedBy(facts, facts.finish);
  }

  #finishedBy({ admission, admittedAt }: RequestFacts, finish: Finish | null): Finished {
    const account = admission.account % this.accounts.length;
    return finishedRun(admission, finish, {
      accountId: this.account(account).id,
      keyId: keyId(account, admission.key % 2),
      at: admittedAt,
    });
  }

  #truth(id: string): Fields | null {
    const finish = this.requests.get(id)?.finish ?? null;
    return finish === null || finish.how === "estimate" || finish.how === "release" ? null : reported(finish);
  }

  #databaseChanged(): void {
    const rows = Number(this.database.one("SELECT (SELECT count(*) FROM entry) + (SELECT count(*) FROM usage) AS n")["n"]);
    if (rows === this.#rows) return;
    this.#rows = rows;
    const delivery = {
      database: this.database,
      books: this.books(),
      violated: (name: string, detail: string) => this.violated(name, detail),
    };
    this.#count("checked I13 I14");
    checkSubset(delivery);
    checkRollups(delivery);
  }

  books(): Map<string, Books> {
    return new Map(this.accounts.map(({ id, books }) => [id, books]));
  }
}

const FOREVER: Life = { wake: () => true };

function bigintOf(limit: number | null): bigint | null {
  return limit === null ? null : BigInt(limit);
}

export function keyId(account: number, key: number): string {
  return `key_simulated${account}_0000000${key}`;
}

export function keyHash(account: number, key: number): string {
  return `hash-of-key-${key}-of-account-${account}`;
}

/** Here an object's id is its name. */
function itself(name: string): string {
  return name;
}
