/** What each operation does to a world. */
import type { Operation } from "./operations.ts";
import { fieldsOf, type Fields } from "./auditor.ts";
import { brokenCostLaw } from "./cost-check.ts";
import type { Life } from "./object-host.ts";
import type { Pending } from "./schedule.ts";
import { batchOf, type Message } from "./queue.ts";
import { reported, requestId, snapshotOf } from "./requests.ts";
import type { Sent, World } from "./world.ts";

/** Does one operation and lets everything that it woke run until it waits. */
export async function apply(world: World, operation: Operation, count: (what: string) => void): Promise<void> {
  if (!act(world, operation, count)) count(`nothing to ${operation.op}`);
  await world.schedule.settle();
}

/** False: there was nothing to act on. */
function act(world: World, operation: Operation, count: (what: string) => void): boolean {
  switch (operation.op) {
    case "go":
      return go(world, operation.n);
    case "wait":
      world.schedule.now += operation.ms;
      return true;
    case "admit":
      world.admit(operation);
      return true;
    case "finish":
      checkCosts(world, operation, count);
      world.finish(operation);
      return true;
    case "extend":
      world.extend(operation.request, operation);
      return true;
    case "trueUp":
      world.trueUp(operation.request, operation);
      return true;
    case "pay":
      world.payments.end(operation);
      return true;
    case "webhook":
      world.book(world.payments.webhook(operation.payment));
      return true;
    case "takeBack":
      world.book(world.payments.takeBack(operation));
      return true;
    case "adjust":
      world.book(world.payments.adjust(operation));
      return true;
    default:
      return disturb(world, operation, count);
  }
}

type Disturbance = Exclude<
  Operation,
  { op: "go" | "wait" | "admit" | "finish" | "extend" | "trueUp" | "pay" | "webhook" | "takeBack" | "adjust" }
>;

function disturb(world: World, operation: Disturbance, count: (what: string) => void): boolean {
  switch (operation.op) {
    case "again":
      return again(world, operation.n, operation.change, count);
    case "consume":
      return consume(world, operation.n, operation.size, count);
    case "reconcile":
      reconcile(world, operation.account);
      return true;
    case "replayDead":
      void world.product.replayDeadLetters(world.bindings(FOREVER), world.schedule.now).catch(() => 0);
      return true;
    case "crash":
      count("fault: object dies between events");
      world.account(operation.account).host.crash();
      return true;
    case "crashAt":
      count("fault: object is to die at a failpoint");
      world.account(operation.account).host.crashAfter = operation.after;
      return true;
    case "crashLane": {
      const { lanes } = world.account(operation.account);
      count("fault: lane dies");
      lanes[operation.lane % lanes.length]?.crash();
      return true;
    }
    case "crashConsumer": {
      const consumer = [...world.consumers][operation.n % Math.max(1, world.consumers.size)];
      if (consumer !== undefined) count("fault: consumer dies");
      consumer?.die();
      return consumer !== undefined;
    }
    default:
      return disturbDelivery(world, operation, count);
  }
}

type DeliveryFault = Extract<Disturbance, { op: "drop" | "duplicate" | "slow" | "deliver" | "message" | "fail" | "alarm" | "skew" }>;

function disturbDelivery(world: World, operation: DeliveryFault, count: (what: string) => void): boolean {
  const { schedule, queue } = world;
  switch (operation.op) {
    case "drop": {
      const chosen = pick(
        schedule.pending.filter((pending) => pending.lose !== null),
        operation.n,
      );
      if (chosen === null) return false;
      count(`fault: ${chosen.kind} lost`);
      schedule.remove(chosen);
      chosen.lose?.();
      return true;
    }
    case "duplicate": {
      const chosen = pick(
        schedule.pending.filter((pending) => pending.again !== null),
        operation.n,
      );
      if (chosen === null) return false;
      count("fault: call comes twice");
      chosen.again?.();
      return true;
    }
    case "slow":
      count("fault: calls about a request take long");
      schedule.slow(requestId(operation.request));
      return true;
    case "deliver":
      return schedule.deliver(requestId(operation.request));
    case "message":
      return disturbMessage(queue, operation, count);
    case "fail":
      (operation.where === "d1" ? world.databaseFaults : queue.faults)[operation.how] += operation.times;
      return true;
    case "alarm": {
      const { host } = world.account(operation.account);
      count(`fault: alarm ${operation.how === "now" ? "early or twice" : "lost"}`);
      if (operation.how === "now") host.ring();
      else host.setAlarm(null);
      return true;
    }
    case "skew":
      count("fault: clock jumps");
      world.account(operation.account).host.skew = operation.ms;
      return true;
  }
}

function disturbMessage(
  queue: World["queue"],
  { how, n }: { how: "duplicate" | "lose" | "kill"; n: number },
  count: (what: string) => void,
): boolean {
  const chosen = pick(queue.waiting, n);
  if (chosen === null) return false;
  count(`fault: message ${how === "duplicate" ? "comes twice" : how === "lose" ? "lost" : "dead"}`);
  if (how === "duplicate") {
    queue.add(chosen.body);
    return true;
  }
  queue.waiting.splice(queue.waiting.indexOf(chosen), 1);
  if (how === "kill") queue.dead.push(chosen);
  return true;
}

function pick<T>(choices: readonly T[], n: number): T | null {
  return choices[n % Math.max(1, choices.length)] ?? null;
}

export function go(world: World, n: number): boolean {
  const chosen = pick<Pending>(world.schedule.due(), n);
  if (chosen === null) return false;
  world.schedule.remove(chosen);
  chosen.run();
  return true;
}

/** The laws of costs, at what this request used. */
function checkCosts(world: World, finish: Extract<Operation, { op: "finish" }>, count: (what: string) => void): void {
  count("checked I19 I20 I21 I22");
  const broken = brokenCostLaw(world.product, snapshotOf(finish.request), reported(finish));
  if (broken !== null) world.violated(broken.split(" ")[0] ?? "", `${broken}: ${JSON.stringify(finish)}`);
}

/** An earlier call once more; changed, it contradicts the first and must not count. */
function again(world: World, n: number, change: boolean, count: (what: string) => void): boolean {
  const sent = pick(world.history, n);
  if (sent === null) return false;
  if (change && !isSettledFact(world, sent)) return false;
  count(change ? "fault: call comes again, changed" : "fault: old call comes again");
  const [method, command] = change ? contradiction(world, sent.method, sent.command) : [sent.method, sent.command];
  world.send(sent.account, method, command);
  return true;
}

/** Whether the ledger has what a call says; what contradicts a call that was not heard yet might be taken for the truth. */
function isSettledFact(world: World, { account, method, command }: Sent): boolean {
  if (method === "credit") return world.payments.bookings.get(String(command["external_id"]))?.isBooked === true;
  if (method !== "release") return true;
  const state = account.books.auditor.holds.get(String(command["request_id"]))?.state;
  return state !== undefined && state !== "HELD" && state !== "EXPIRED";
}

/** Another call about the same thing that cannot be true as well. */
function contradiction(world: World, method: string, command: Fields): [method: string, command: Fields] {
  const id = command["request_id"];
  switch (method) {
    case "admit":
      return [method, { ...command, body_hash: "another body" }];
    case "credit":
      return [method, { ...command, amount_micro_rub: String(BigInt(String(command["amount_micro_rub"])) + 1n) }];
    case "settle":
      // An end without a charge, where there was one.
      if (world.schedule.now % 2 === 0) return ["release", { request_id: id, reason: "contradicted", record: null }];
      return [method, { ...command, facts: { ...fieldsOf(command["facts"]), flagged: "changed" } }];
    case "release": {
      const end = world.otherEnd(String(id));
      return end?.kind === "settle" ? ["settle", { request_id: id, facts: end.facts, record: end.record }] : [method, command];
    }
    case "trueUp":
      return [method, { ...command, facts: { ...fieldsOf(command["facts"]), flagged: "changed" } }];
    default:
      return [method, command];
  }
}

const FOREVER: Life = { wake: () => true };

/** A consumer takes a batch; dead messages go to theirs first. */
export function consume(world: World, n: number, size: number, count: (what: string) => void): boolean {
  const isDead = world.queue.dead.length > 0 && n % 4 === 0;
  const messages = isDead ? world.queue.dead.splice(0) : world.queue.take(n, size);
  if (messages.length === 0) return false;
  void consumeBatch(world, messages, isDead, count);
  return true;
}

async function consumeBatch(world: World, messages: readonly Message[], isDead: boolean, count: (what: string) => void): Promise<void> {
  const { batch, acked, delays } = batchOf(messages, isDead ? "usage-dead" : "usage", world.schedule.now);
  let isAlive = true;
  const consumer = {
    die: (): void => {
      isAlive = false;
      world.consumers.delete(consumer);
      world.queue.giveBack(messages, 0);
    },
  };
  world.consumers.add(consumer);
  world.schedule.skew = 0;
  const bindings = world.bindings({ wake: () => isAlive });
  try {
    await (isDead ? world.product.consumeDead(batch, bindings) : world.product.consumeUsage(batch, bindings));
  } catch {
    count("consumer throws");
  }
  if (!isAlive) return;
  world.consumers.delete(consumer);
  for (const message of messages) if (!acked.has(message.id)) world.queue.giveBack([message], delays.get(message.id) ?? 0);
}

function reconcile(world: World, account: number): void {
  world.schedule.skew = 0;
  void world.product.reconcileAccount(world.account(account).id, world.bindings(FOREVER)).catch(() => null);
}
