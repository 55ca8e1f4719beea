import { describe, expect, test } from "vitest";
import { gatewayError, type GatewayError } from "../../schema/error.ts";
import { LIMITS } from "../../schema/limits.ts";
import { UNKNOWN_USAGE } from "../../schema/usage.ts";
import type { Meter, Relay } from "../../workers/protocol/relay-contract.ts";
import { startPump, type PumpEnd, type PumpInput } from "../../workers/runtime/stream-pump.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A relay that passes bytes, ends at "END", fails at "ERR", and says "tail" when it broke off. */
function plainRelay(): Relay & { meter: Meter } {
  const meter = {
    usage: UNKNOWN_USAGE,
    usageFinal: false,
    usageAnomaly: null,
    outputCharacters: 0,
    contentSeen: false,
    finish: null,
    ended: false,
    error: null as GatewayError | null,
    providerId: null,
  };
  return {
    meter,
    push(bytes) {
      const text = new TextDecoder().decode(bytes);
      if (text.includes("END")) meter.ended = true;
      else if (text.includes("ERR")) meter.error = gatewayError("provider_error", "said so");
      else if (text !== "") meter.contentSeen = true;
      return bytes;
    },
    end(failure) {
      if (meter.ended) return new Uint8Array(0);
      meter.error ??= failure ?? gatewayError("provider_error", "cut");
      return encode("tail");
    },
    cut: () => encode("cut"),
    passesRest: () => false,
    takeEvents: () => [],
  };
}

interface Stage {
  push: (text: string) => void;
  finish: () => void;
  fail: () => void;
  received: () => Promise<string>;
  leave: () => Promise<void>;
  tick: () => void;
  advance: (milliseconds: number) => void;
  settled: PumpEnd[];
  aborted: () => boolean;
  pump: ReturnType<typeof startPump>;
  seenBeforeSettle: () => string;
}

function stage(
  options: Partial<Pick<PumpInput, "drainWithoutClient" | "afford" | "outlet" | "everyMoment" | "holdsBeginning" | "timeouts">> = {},
): Stage {
  let controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  let aborted = false;
  const source = new ReadableStream<Uint8Array>({
    start: (given) => void (controller = given),
    cancel: () => void (aborted = true),
  });
  const pipe = new TransformStream<Uint8Array, Uint8Array>();
  const reader = pipe.readable.getReader();
  let text = "";
  const reading = (async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += new TextDecoder().decode(value);
    }
  })().catch(() => undefined);
  let tick = (): void => undefined;
  let now = 1_000;
  let seen = "";
  const settled: PumpEnd[] = [];
  const pump = startPump({
    source,
    sink: pipe.writable,
    relay: plainRelay(),
    drainWithoutClient: false,
    ...options,
    outlet: options.outlet ?? null,
    heartbeat: encode(":beat\n"),
    now: () => now,
    pause: async () => undefined,
    everySecond: (given) => {
      tick = given;
      return () => (tick = () => undefined);
    },
    onProgress: () => undefined,
    settle: async (end) => {
      seen = text;
      settled.push(end);
    },
  });
  return {
    push: (chunk) => controller?.enqueue(encode(chunk)),
    finish: () => controller?.close(),
    fail: () => controller?.error(new Error("broken")),
    received: async () => {
      await reading;
      return text;
    },
    leave: async () => {
      await reader.cancel();
      await new Promise((resolve) => setTimeout(resolve, 0));
    },
    tick: () => tick(),
    advance: (milliseconds) => (now += milliseconds),
    settled,
    aborted: () => aborted,
    pump,
    seenBeforeSettle: () => seen,
  };
}

describe("a stream that ends well", () => {
  test("reaches the client whole and is settled once", async () => {
    const { push, pump, received, settled } = stage();
    push("one ");
    push("two ");
    push("END");
    expect(await received()).toBe("one two END");
    expect((await pump.end).ending).toBe("complete");
    expect(settled).toHaveLength(1);
  });

  test("is settled before the client sees its end", async () => {
    const { push, received, seenBeforeSettle } = stage();
    push("one ");
    await new Promise((resolve) => setTimeout(resolve, 5));
    push("END");
    await received();
    expect(seenBeforeSettle()).toBe("one ");
  });
});

describe("a stream that may not go on", () => {
  const reason = gatewayError("insufficient_balance", "no more");

  test("is ended after the piece that was too much, its upstream is let go, and it is settled as cut", async () => {
    let pieces = 0;
    const afford = (): Promise<GatewayError | null> | null => (++pieces < 2 ? null : Promise.resolve(reason));
    const { push, received, aborted, settled, pump } = stage({ afford });
    push("one ");
    push("two ");
    push("three ");
    expect(await received()).toBe("one two tail");
    expect(aborted()).toBe(true);
    expect(settled).toEqual([{ ending: "cut", error: reason, started: true, clientGone: false }]);
    expect((await pump.end).ending).toBe("cut");
  });

  test("waits for the ledger's word with all that comes meanwhile unread, and goes on when there is more to spend", async () => {
    let allow = (_reason: GatewayError | null): void => undefined;
    let asked = 0;
    const afford = (): Promise<GatewayError | null> | null => {
      asked += 1;
      return asked === 1 ? new Promise((resolve) => (allow = resolve)) : null;
    };
    const { push, received, seenBeforeSettle, settled } = stage({ afford });
    push("one ");
    await new Promise((resolve) => setTimeout(resolve, 5));
    push("two ");
    push("END");
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(settled).toEqual([]);
    allow(null);
    expect(await received()).toBe("one two END");
    expect(seenBeforeSettle()).toBe("one two ");
  });

  test("is not asked about once its end has come", async () => {
    let asked = 0;
    const { push, pump } = stage({ afford: () => (asked++, null) });
    push("END");
    expect((await pump.end).ending).toBe("complete");
    expect(asked).toBe(0);
  });
});

describe("an upstream that fails", () => {
  test("before any byte leaves the answer unstarted, so that a real status can be given", async () => {
    const { fail, pump, settled } = stage();
    fail();
    const end = await pump.end;
    expect(end.started).toBe(false);
    expect(end.error?.code).toBe("provider_error");
    expect(settled).toHaveLength(1);
  });

  test("with an error as its first event leaves the answer unstarted too", async () => {
    const { push, pump } = stage();
    push("ERR");
    const end = await pump.end;
    expect(end).toMatchObject({ started: false, ending: "failed" });
  });

  test("in the middle gives the client what came and the error, never a success", async () => {
    const { push, fail, received, pump } = stage();
    push("one ");
    await pump.first;
    fail();
    expect(await received()).toBe("one tail");
    expect((await pump.end).ending).toBe("failed");
  });

  test("by falling silent is cut off and settled", async () => {
    const { push, advance, tick, received, pump, aborted } = stage();
    push("one ");
    await pump.first;
    advance(LIMITS.upstreamIdleMilliseconds + 1);
    tick();
    expect(await received()).toContain("tail");
    expect(aborted()).toBe(true);
    expect((await pump.end).error?.code).toBe("provider_timeout");
  });
});

describe("a client that leaves", () => {
  test("ends the upstream where that ends its billing, and the request is settled once", async () => {
    const { push, leave, pump, settled, aborted } = stage();
    push("one ");
    await pump.first;
    await leave();
    const end = await pump.end;
    expect(aborted()).toBe(true);
    expect(end.ending).toBe("client-gone");
    expect(settled).toHaveLength(1);
  });

  test("lets the upstream run to its end where its cost is owed anyway", async () => {
    const { push, leave, pump, settled, aborted } = stage({ drainWithoutClient: true });
    push("one ");
    await pump.first;
    await leave();
    push("two ");
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(aborted()).toBe(false);
    push("END");
    expect((await pump.end).ending).toBe("complete");
    expect(settled).toHaveLength(1);
  });

  test("cannot keep a drained upstream open for ever", async () => {
    const { push, leave, pump, advance, tick, aborted } = stage({ drainWithoutClient: true });
    push("one ");
    await pump.first;
    await leave();
    for (let passed = 0; passed <= LIMITS.drainMilliseconds; passed += 60_000) {
      advance(60_000);
      push("more ");
      await new Promise((resolve) => setTimeout(resolve, 0));
      tick();
    }
    expect(aborted()).toBe(true);
    expect((await pump.end).ending).toBe("failed");
  });
});

test("a stream that is silent for long gets a comment, between events only", async () => {
  const { push, advance, tick, received, pump } = stage();
  push("one ");
  await pump.first;
  advance(LIMITS.heartbeatMilliseconds + 1);
  tick();
  tick();
  push("END");
  expect(await received()).toBe("one :beat\nEND");
});

describe("a stream with an outlet", () => {
  /** Passes bytes in capitals, and keeps a dot back for the end. */
  function outlet(): { seen: string[]; push: (bytes: Uint8Array) => Uint8Array; end: () => Uint8Array } {
    const seen: string[] = [];
    return {
      seen,
      push: (bytes) => {
        seen.push(new TextDecoder().decode(bytes));
        return encode(new TextDecoder().decode(bytes).toUpperCase());
      },
      end: () => encode("."),
    };
  }

  test("shows it all bytes of the answer, its end after the settlement, and no heartbeat", async () => {
    const out = outlet();
    const { push, pump, received, tick, advance, settled } = stage({ outlet: out });
    push("one ");
    await pump.first;
    advance(LIMITS.heartbeatMilliseconds);
    tick();
    push("END");
    expect(await received()).toBe("ONE :beat\nEND.");
    expect(out.seen.join("")).toBe("one END");
    expect(settled).toHaveLength(1);
  });

  test("goes on to it when its client has left and the answer is wanted all the same", async () => {
    const out = outlet();
    const { push, pump, leave } = stage({ outlet: out, drainWithoutClient: true });
    push("one ");
    await pump.first;
    await leave();
    push("two ");
    push("END");
    expect((await pump.end).ending).toBe("complete");
    expect(out.seen.join("")).toBe("one two END");
  });
});

describe("a stream that is cancelled", () => {
  test("ends upstream and is settled as one whose client left, with an end that its readers see", async () => {
    const { push, pump, received, aborted, settled } = stage({ drainWithoutClient: true });
    push("one ");
    await pump.first;
    pump.cancel();
    expect(await received()).toBe("one tail");
    expect(aborted()).toBe(true);
    expect(settled).toMatchObject([{ ending: "client-gone", error: null, started: true }]);
  });

  test("after its end is none", async () => {
    const { push, pump, settled } = stage();
    push("END");
    await pump.end;
    pump.cancel();
    expect(settled).toMatchObject([{ ending: "complete" }]);
  });
});

describe("a client of a silent stream", () => {
  test("is looked for by writing to it, where its leaving ends the upstream and nowhere else", async () => {
    const heard: string[] = [];
    for (const drainWithoutClient of [false, true]) {
      let look: () => void = () => undefined;
      const everyMoment = (given: () => void): (() => void) => {
        look = given;
        return () => (look = () => undefined);
      };
      const { push, advance, received } = stage({ drainWithoutClient, everyMoment });
      push("one ");
      await new Promise((resolve) => setTimeout(resolve, 5));
      look();
      advance(LIMITS.probeMilliseconds);
      look();
      look();
      advance(LIMITS.probeMilliseconds);
      look();
      push("END");
      heard.push(await received());
    }
    expect(heard).toEqual(["one :beat\n:beat\nEND", "one END"]);
  });
});

describe("a stream that another could replace", () => {
  const replaceable = { holdsBeginning: true };

  test("gives nothing out until it has begun, and then all of it", async () => {
    const { push, received, pump } = stage(replaceable);
    push("");
    push("one ");
    push("END");
    expect(await received()).toBe("one END");
    expect((await pump.end).ending).toBe("complete");
  });

  test("that gives signs of life and no token runs out of the time for its first", async () => {
    const { push, advance, tick, pump, settled } = stage({ ...replaceable, timeouts: { firstToken: 1_500, idle: 1_000, total: 60_000 } });
    for (let signs = 0; signs < 2; signs++) {
      push("");
      await new Promise((resolve) => setTimeout(resolve, 5));
      advance(800);
      tick();
    }
    expect(await pump.end).toMatchObject({ ending: "failed", started: false, error: { code: "provider_timeout" } });
    expect(settled).toHaveLength(1);
  });
});
