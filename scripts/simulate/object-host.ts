/**
 * Where one account's object lives: instances come and go, its rows and its alarm stay. A call waits until the instance is up (its
 * `blockConcurrencyWhile`), a crash drops the instance, fails every call that is in it, and fences its storage.
 */
import type { Product } from "./product.ts";
import type { Pending, Schedule } from "./schedule.ts";
import { Crash, type Failpoint, objectStorage, Statements } from "./storage.ts";

/** Whoever waits for something under way; what is dead is never woken. */
export interface Life {
  /** True: it may go on. Called when what it waits for is there. */
  wake: () => boolean;
}

export interface HostWiring {
  name: string;
  schedule: Schedule;
  product: () => Product;
  /** The bindings as this life of the object sees them. */
  bindings: (life: Life) => object;
  passed: (where: Failpoint) => void;
  /** Something the object threw or left rejected that was no crash of ours. */
  complained: (what: string, error: unknown) => void;
  born: () => void;
  /** The object died at a failpoint. */
  died: (where: Failpoint) => void;
}

interface Instance {
  object: object;
  storage: object;
  ready: Promise<unknown>;
  isAlive: boolean;
}

export class ObjectHost {
  readonly name: string;
  statements: Statements;
  skew = 0;
  /** Failpoints until the object dies; null for not at all. */
  crashAfter: number | null = null;
  crashes = 0;
  readonly #wiring: HostWiring;
  readonly #waiting = new Set<(error: Error) => void>();
  #instance: Instance | null = null;
  #alarm: Pending | null = null;
  #isDead = false;

  constructor(wiring: HostWiring, statements = new Statements()) {
    this.name = wiring.name;
    this.#wiring = wiring;
    this.statements = statements;
  }

  get hasAlarm(): boolean {
    return this.#alarm !== null;
  }

  /** Whether this storage is that of the instance that lives here now. */
  owns(storage: object): boolean {
    return this.#instance?.storage === storage;
  }

  /** Calls a method of the object, starting one where there is none. */
  async call(method: string, parameters: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      const done = (): void => {
        this.#waiting.delete(reject);
      };
      this.#run(method, parameters).then(
        (value) => {
          done();
          resolve(value);
        },
        (error: unknown) => {
          done();
          reject(error instanceof Error ? error : new Error(String(error)));
        },
      );
    });
  }

  async #run(method: string, parameters: readonly unknown[]): Promise<unknown> {
    const instance = this.#started();
    await instance.ready;
    if (!instance.isAlive) throw new Error("the object was reset");
    this.#wiring.schedule.skew = this.skew;
    this.#failpoint("call", instance);
    const called: unknown = Reflect.get(instance.object, method);
    if (typeof called !== "function") throw new TypeError(`${this.name} has no method ${method}`);
    const value: unknown = await Reflect.apply(called, instance.object, parameters);
    this.#failpoint("answer", instance);
    return value;
  }

  /** The instance dies; its rows and alarm stay. Calls in it fail, and so does whatever it still tries. */
  crash(): void {
    if (this.#instance !== null) this.#instance.isAlive = false;
    this.#instance = null;
    this.crashAfter = null;
    this.crashes += 1;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const fail of waiting) fail(new Error("the object was reset"));
  }

  /** Runs the alarm handler now, due or not. */
  ring(): void {
    this.#alarm = null;
    const again = (): void => {
      // The platform tries an alarm again whose object died in it.
      if (this.#alarm === null && !this.#isDead) this.setAlarm(this.#wiring.schedule.now + 2_000);
    };
    this.call("alarm", []).catch((error: unknown) => {
      if (error instanceof Crash || (error instanceof Error && /reset/.test(error.message))) again();
      else this.#wiring.complained("alarm", error);
    });
  }

  /** The object's rows are those of another time; its alarm is none. */
  replace(statements: Statements): void {
    this.crash();
    this.setAlarm(null);
    this.statements.close();
    this.statements = statements;
  }

  setAlarm(at: number | null): void {
    if (this.#alarm !== null) this.#wiring.schedule.remove(this.#alarm);
    this.#alarm = at === null ? null : this.#wiring.schedule.push("alarm", () => this.ring(), { due: at });
  }

  close(): void {
    this.#isDead = true;
    this.crash();
    this.statements.close();
  }

  #failpoint(where: Failpoint, instance: Instance): void {
    if (!instance.isAlive) return;
    this.#wiring.passed(where);
    if (this.crashAfter === null) return;
    this.crashAfter -= 1;
    if (this.crashAfter >= 0) return;
    this.crash();
    this.#wiring.died(where);
    throw new Crash();
  }

  #started(): Instance {
    if (this.#instance !== null) return this.#instance;
    const instance: Instance = { object: {}, storage: {}, ready: Promise.resolve(), isAlive: true };
    this.#instance = instance;
    this.#wiring.born();
    this.#wiring.schedule.skew = this.skew;
    instance.storage = objectStorage({
      database: this.statements,
      isAlive: () => instance.isAlive,
      failpoint: (where) => this.#failpoint(where, instance),
      alarm: { get: () => this.#alarm?.due ?? null, set: (at) => this.setAlarm(at) },
    });
    const context = {
      id: { name: this.name },
      storage: instance.storage,
      waitUntil: (work: Promise<unknown>) => void work.catch((error: unknown) => this.#noted("waitUntil", error, instance)),
      blockConcurrencyWhile: (work: () => Promise<unknown>) => {
        instance.ready = work().catch((error: unknown) => {
          this.#noted("blockConcurrencyWhile", error, instance);
          if (instance.isAlive) this.crash();
        });
        return instance.ready;
      },
    };
    const { AccountDO } = this.#wiring.product();
    try {
      instance.object = new AccountDO(context, this.#wiring.bindings({ wake: () => this.#wakes(instance) }));
    } catch (error) {
      if (instance.isAlive) this.crash();
      throw error;
    }
    return instance;
  }

  /** Whether an instance may go on with what it waited for; it may die of being woken. */
  #wakes(instance: Instance): boolean {
    if (!instance.isAlive) return false;
    this.#wiring.schedule.skew = this.skew;
    try {
      this.#failpoint("woken", instance);
    } catch {
      return false;
    }
    return true;
  }

  #noted(where: string, error: unknown, instance: Instance): void {
    if (instance.isAlive) this.#wiring.complained(where, error);
  }
}
