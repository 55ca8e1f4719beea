/** Calls between objects: under way, delivered, answered, each step when the run says so. A caller that died hears nothing any more. */
import type { Life } from "./object-host.ts";
import type { Schedule } from "./schedule.ts";

/** Whoever takes calls. */
export interface Callee {
  name: string;
  call: (method: string, parameters: readonly unknown[]) => Promise<unknown>;
}

const LOST = "Network connection lost";

/** One call. Its loss on the way there or back is an error for the caller, who cannot tell which it was. */
export function remoteCall(
  schedule: Schedule,
  life: Life,
  callee: Callee,
  method: string,
  parameters: readonly unknown[],
): Promise<unknown> {
  const about = requestOf(parameters[0]);
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      if (life.wake()) reject(error instanceof Error ? new Error(error.message) : new Error(String(error)));
    };
    const deliver = (answered: (act: () => void) => void): void => {
      callee.call(method, parameters).then(
        (value) => answered(() => (life.wake() ? resolve(structuredClone(value)) : undefined)),
        (error: unknown) => answered(() => fail(error)),
      );
    };
    const answer = (act: () => void): void => {
      schedule.push("answer", act, { lose: () => fail(new Error(LOST)), about });
    };
    schedule.push("call", () => deliver(answer), {
      about,
      lose: () => fail(new Error(LOST)),
      // Nobody waits for the second answer.
      again: () => void schedule.push("call", () => deliver(() => undefined), { about }),
    });
  });
}

function requestOf(command: unknown): string | null {
  const id: unknown = typeof command === "object" && command !== null ? Reflect.get(command, "request_id") : null;
  return typeof id === "string" ? id : null;
}

/** A stub as the platform hands it out: every property is a method of the other side. */
export function stubOf(schedule: Schedule, life: Life, callee: Callee): object {
  return new Proxy(
    {},
    {
      get: (_target, method) =>
        typeof method !== "string" || method === "then"
          ? undefined
          : (...parameters: unknown[]) => remoteCall(schedule, life, callee, method, parameters),
    },
  );
}
