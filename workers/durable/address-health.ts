/** The circuit breakers of one lane and how soon its streams begin, by address. In memory: after a restart every address is given its chance again. */
import { LIMITS } from "../../schema/limits.ts";
import type { AddressView, Health } from "../../schema/routing.ts";
import type { HealthPort } from "../runtime/ask-address.ts";
import { type Breaker, CLOSED_BREAKER, enter, leave } from "../runtime/breaker.ts";

/** What the router is told of an address. */
export interface SeenHealth {
  health: Health;
  /** Null: no stream of it has begun here yet. */
  latency_ms: number | null;
}

/** Weight of the newest in the running mean. */
const NEWEST_SHARE = 0.3;

interface AddressHealth extends HealthPort {
  look: (address: string) => SeenHealth;
  /** Every address that is known of. */
  all: () => AddressView[];
}

export function addressHealth(now: () => number): AddressHealth {
  const breakers = new Map<string, Breaker>();
  const failedAt = new Map<string, number>();
  const latencies = new Map<string, number>();
  const noteLatency = (address: string, latency: number): void => {
    const mean = latencies.get(address) ?? latency;
    latencies.delete(address);
    if (latencies.size >= LIMITS.breakersKept) latencies.delete(latencies.keys().next().value ?? "");
    latencies.set(address, mean + NEWEST_SHARE * (latency - mean));
  };
  const forget = (address: string): void => {
    breakers.delete(address);
    failedAt.delete(address);
  };
  const keep = (address: string, breaker: Breaker): void => {
    // What is well needs no entry; the oldest goes where there are too many.
    if (breaker === CLOSED_BREAKER) {
      forget(address);
      return;
    }
    breakers.delete(address);
    if (breakers.size >= LIMITS.breakersKept) forget(breakers.keys().next().value ?? "");
    breakers.set(address, breaker);
  };
  const look = (address: string): SeenHealth => {
    const breaker = breakers.get(address);
    const latency = latencies.get(address);
    const latency_ms = latency === undefined ? null : Math.round(latency);
    const rest = latency === undefined ? "unknown" : "ok";
    if (breaker === undefined) return { health: rest, latency_ms };
    if (breaker.state !== "closed") return { health: enter(breaker, now()).passes ? rest : "down", latency_ms };
    // It is asked first again after a while: nobody would find out otherwise that it is well.
    const isRecent = now() - (failedAt.get(address) ?? 0) < LIMITS.degradedMilliseconds;
    return { health: isRecent && breaker.failures > 1 ? "degraded" : rest, latency_ms };
  };
  return {
    look,
    all: () =>
      [...new Set([...breakers.keys(), ...latencies.keys()])].toSorted().map((address) => {
        // The name an attempt gives its address (runtime/ask-address.ts): provider, model, origin.
        const [provider = "", ...rest] = address.split(" ");
        const { state, failures, retryAt } = breakers.get(address) ?? CLOSED_BREAKER;
        const retry_at = state === "closed" ? null : retryAt;
        return {
          provider,
          model: rest.slice(0, -1).join(" "),
          origin: rest.at(-1) ?? "",
          ...look(address),
          breaker: state,
          failures,
          retry_at,
        };
      }),
    enter: (address) => {
      const known = breakers.get(address);
      if (known === undefined) return null;
      const { passes, breaker } = enter(known, now());
      keep(address, breaker);
      return passes ? null : Math.max(1, breaker.retryAt - now());
    },
    leave: (address, ended, latency) => {
      if (latency !== undefined) noteLatency(address, latency);
      const known = breakers.get(address);
      if (ended === "unhealthy") failedAt.set(address, now());
      if (known === undefined && ended !== "unhealthy") return;
      keep(address, leave(known ?? CLOSED_BREAKER, ended, now()));
    },
  };
}
