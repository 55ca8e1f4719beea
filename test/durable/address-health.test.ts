/** What a lane tells the router of its addresses, and what an account remembers of its conversations. */
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../schema/limits.ts";
import { addressHealth } from "../../workers/durable/address-health.ts";
import { Pins } from "../../workers/durable/pins.ts";

function clocked(): { clock: { now: number }; health: ReturnType<typeof addressHealth> } {
  const clock = { now: 1_000_000 };
  return { clock, health: addressHealth(() => clock.now) };
}

describe("look()", () => {
  test("knows nothing of an address that was never asked, and the running mean of one that was", () => {
    const { health } = clocked();
    expect(health.look("a")).toEqual({ health: "unknown", latency_ms: null });
    health.leave("a", "well", 100);
    health.leave("a", "well", 200);
    health.leave("a", "well");
    expect(health.look("a")).toEqual({ health: "ok", latency_ms: 130 });
  });

  test("calls an address degraded that failed twice in a row lately, down while its breaker rests, and neither after that", () => {
    const { clock, health } = clocked();
    health.leave("a", "unhealthy");
    expect(health.look("a").health).toBe("unknown");
    health.leave("a", "unhealthy");
    expect(health.look("a").health).toBe("degraded");
    clock.now += LIMITS.degradedMilliseconds;
    expect(health.look("a").health).toBe("unknown");
    for (let failures = 2; failures < LIMITS.breakerFailures; failures++) health.leave("a", "unhealthy");
    expect(health.look("a").health).toBe("down");
    clock.now += LIMITS.breakerPauseMilliseconds;
    expect(health.look("a").health).toBe("unknown");
    // Looking is no trial: the first call may still pass.
    expect(health.enter("a")).toBeNull();
    expect(health.look("a").health).toBe("down");
    health.leave("a", "well", 50);
    expect(health.look("a")).toEqual({ health: "ok", latency_ms: 50 });
  });
});

describe("pins", () => {
  test("give a conversation's last model with its age, and keep the harder level of an unchanged model", () => {
    let now = 5_000;
    const pins = new Pins(() => now);
    expect(pins.of("c")).toBeNull();
    pins.note("c", { model: "a/b", route: "code", level: "hard" });
    now += 700;
    expect(pins.of("c")).toEqual({ model: "a/b", route: "code", level: "hard", age_ms: 700 });
    pins.note("c", { model: "a/b", route: "code", level: "easy" });
    expect(pins.of("c")).toMatchObject({ level: "hard", age_ms: 0 });
    pins.note("c", { model: "a/c", route: null, level: "easy" });
    expect(pins.of("c")).toMatchObject({ model: "a/c", level: "easy" });
  });

  test("are bounded: the conversation that was quiet longest is forgotten first", () => {
    const pins = new Pins(() => 0);
    const pin = { model: "a/b", route: null, level: "easy" as const };
    for (let index = 0; index < LIMITS.routingPinsKept; index++) pins.note(`c${index}`, pin);
    pins.note("c0", pin);
    pins.note("new", pin);
    expect([pins.of("c0") !== null, pins.of("c1"), pins.of("new") !== null]).toEqual([true, null, true]);
  });
});
