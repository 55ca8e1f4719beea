/**
 * The second phase of a run: nothing goes wrong any more, and within a bounded virtual time everything must come to rest: every hold ended,
 * every payment booked, D1 the same as the ledgers, no alarm armed (liveness; TigerBeetle's VOPR ends its runs like this).
 */
import { apply, consume, go } from "./apply.ts";
import { checkWhole } from "./delivery.ts";
import type { Reconciled } from "./product.ts";
import { type Account, type World } from "./world.ts";

const VIRTUAL_MILLISECONDS_MAX = 4 * 3_600_000;
const EVENTS_MAX = 60_000;
const CRON_MILLISECONDS = 5 * 60_000;
const STEP_MILLISECONDS = 30_000;

type Count = (what: string) => void;

/** Comes to rest and checks what must be true of a world at rest. */
export async function comeToRest(world: World, count: Count): Promise<void> {
  const { schedule } = world;
  for (const { host } of world.accounts) {
    host.crashAfter = null;
    host.skew = 0;
  }
  Object.assign(world.databaseFaults, { before: 0, after: 0 });
  Object.assign(world.queue.faults, { before: 0, after: 0 });
  schedule.deliver(null);
  const begun = schedule.now;
  const end = begun + VIRTUAL_MILLISECONDS_MAX;
  let cron = schedule.now;
  while (world.violation === null && !isAtRest(world)) {
    if (schedule.now > end) {
      world.violated("I8", `no rest in four hours: ${unrest(world)}`);
      return;
    }
    await drain(world, count);
    if (!world.setting.hangs) endUpstreams(world);
    checkLives(world, begun);
    for (const booking of world.payments.unheard()) world.book(booking);
    if (schedule.now >= cron) {
      cron = schedule.now + CRON_MILLISECONDS;
      await cronJob(world, count);
    }
    await drain(world, count);
    if (isAtRest(world)) break;
    const next = schedule.nextDue();
    schedule.now = Math.max(schedule.now + 1, Math.min(schedule.now + STEP_MILLISECONDS, next ?? Number.MAX_SAFE_INTEGER));
  }
  if (world.violation === null) await checkRest(world, count);
}

/** Lets everything that is due happen, the oldest first, and every message be consumed. */
export async function drain(world: World, count: Count): Promise<void> {
  for (let event = 0; world.violation === null; event++) {
    if (event > EVENTS_MAX) {
      world.violated("I8", "events without end");
      return;
    }
    const moved = go(world, 0) || consume(world, 0, 100, count);
    await world.schedule.settle();
    if (!moved && world.schedule.due().length === 0) return;
  }
}

/** A hold lives to its expiry and until the next alarm or cron job, and no longer (I8). */
function checkLives(world: World, begun: number): void {
  for (const { id, books } of world.accounts) {
    for (const hold of books.auditor.openOf(null)) {
      const until = Math.max(hold.until, begun) + 2 * CRON_MILLISECONDS;
      if (world.schedule.now > until) world.violated("I8", `${id} has a hold open that should have ended ten minutes ago`);
    }
  }
}

/** Every request that still runs gets its end. */
function endUpstreams(world: World): void {
  for (const { lanes } of world.accounts) {
    for (const lane of lanes) {
      for (const id of lane.waiting()) {
        world.finish({ op: "finish", request: Number(id.slice("req_".length)), how: "usage", input: 7, cached: 0, output: 3 });
      }
    }
  }
}

/** What the cron trigger does: wakes and reconciles every account. Parked messages are sent again. */
async function cronJob(world: World, count: Count): Promise<void> {
  await apply(world, { op: "replayDead" }, count);
  for (const account of world.accounts) await reconciled(world, account, count);
}

/** Reconciles one account to the end; null where it failed. */
export async function reconciled(world: World, account: Account, count: Count): Promise<Reconciled | null> {
  world.schedule.skew = 0;
  return driven(world, world.product.reconcileAccount(account.id, world.bindings({ wake: () => true })), count);
}

/** Lets the world go on until this is done; null where it failed, or cannot end. */
export async function driven<T>(world: World, work: Promise<T>, count: Count): Promise<T | null> {
  let done: { value: T } | null = null;
  work.then(
    (value) => (done = { value }),
    (error: unknown) => world.violated("threw", error instanceof Error ? error.message : String(error)),
  );
  await drain(world, count);
  return resultOf(world, done);
}

function resultOf<T>(world: World, done: { value: T } | null): T | null {
  if (done === null) world.violated("I8", "a call has no answer although nothing is under way");
  return done === null ? null : done.value;
}

function isAtRest(world: World): boolean {
  return unrest(world) === "";
}

/** What still moves, in words; empty at rest. */
function unrest(world: World): string {
  const words: string[] = [];
  for (const { id, host, lanes, books } of world.accounts) {
    const open = books.auditor.openOf(null).length;
    const recorded = Number(host.statements.all("SELECT seq FROM recorded").at(0)?.["seq"] ?? 0);
    if (open > 0) words.push(`${id} has ${open} open holds`);
    if (recorded !== books.auditor.entries.length)
      words.push(`D1 is known to have ${recorded} of ${books.auditor.entries.length} entries of ${id}`);
    if (!world.setting.hangs && lanes.some((lane) => lane.waiting().length > 0)) words.push(`a lane of ${id} runs`);
  }
  if (world.queue.waiting.length + world.queue.dead.length > 0) words.push("messages wait");
  if (world.consumers.size > 0) words.push("a consumer runs");
  if (world.payments.unheard().length > 0) words.push("payments are not booked");
  if (world.schedule.pending.length > 0) words.push(`${world.schedule.pending.map((pending) => pending.kind).join(", ")} pending`);
  return words.join("; ");
}

async function checkRest(world: World, count: Count): Promise<void> {
  count("checked I8 I13 I15 I16 I17 I23");
  const delivery = {
    database: world.database,
    books: world.books(),
    violated: (name: string, detail: string) => world.violated(name, detail),
  };
  checkWhole(delivery, world.product.RECOMPUTE_USAGE);
  for (const [number, account] of world.accounts.entries()) {
    const { auditor, house } = account.books;
    account.books.check(null);
    if (account.host.hasAlarm) world.violated("I8", `${account.id} is at rest with its alarm armed`);
    const paid = auditor.entries.filter((entry) => entry.kind === "credit").reduce((sum, entry) => sum + entry.amount, 0n);
    if (paid !== world.payments.paidIn(number))
      world.violated("I17", `${account.id} was credited ${paid}, paid in ${world.payments.paidIn(number)}`);
    if ((house.get("customer") ?? 0n) !== auditor.balance)
      world.violated("I4", `${account.id}: the customer's postings are not the balance`);
    const again = await reconciled(world, account, count);
    if (world.violation === null && again !== null && again.gaps.length + again.repaired > 0) {
      world.violated("I13", `${account.id} at rest has gaps: ${JSON.stringify(again.gaps[0] ?? null)}, ${again.repaired} repaired`);
    }
  }
}
