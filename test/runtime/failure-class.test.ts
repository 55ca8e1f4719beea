/** What failures mean, and how long to wait after one. */
import { describe, expect, test } from "vitest";
import { gatewayError } from "../../schema/error.ts";
import { LIMITS } from "../../schema/limits.ts";
import { backoffMilliseconds } from "../../workers/runtime/backoff.ts";
import { classifyFailure } from "../../workers/runtime/failure-class.ts";

describe("a failed attempt", () => {
  test("that is the caller's fault is nobody else's to answer", () => {
    for (const code of ["invalid_request", "upstream_rejected", "request_too_large", "insufficient_balance"] as const)
      expect(classifyFailure(gatewayError(code, "no"))).toEqual({ retry: false, fallback: false, unhealthy: false });
  });

  test("at a limit is tried again and elsewhere without counting against the address", () => {
    expect(classifyFailure(gatewayError("rate_limited", "slow down"))).toEqual({ retry: true, fallback: true, unhealthy: false });
  });

  test("at a used-up quota is not tried again there, whatever its status", () => {
    const error = gatewayError("rate_limited", "no money", { upstream_code: "insufficient_quota" });
    expect(classifyFailure(error)).toMatchObject({ retry: false, fallback: true });
  });

  test("by overload or a broken answer goes elsewhere and counts", () => {
    for (const code of ["overloaded", "provider_error", "provider_timeout"] as const)
      expect(classifyFailure(gatewayError(code, "down"))).toMatchObject({ fallback: true, unhealthy: true });
  });
});

describe("the wait before a retry", () => {
  test("is what the provider asked for", () => {
    expect(backoffMilliseconds({ failures: 1, retryAfterSeconds: 0.5, random: 0.9 })).toBe(500);
  });

  test("is none at all where the provider asks for longer than a caller should wait", () => {
    expect(backoffMilliseconds({ failures: 1, retryAfterSeconds: LIMITS.retryWaitMilliseconds / 1000 + 1, random: 0 })).toBeNull();
  });

  test("doubles with each failure, spread over the whole range, up to a bound", () => {
    const longest = [1, 2, 3, 20].map((failures) => backoffMilliseconds({ failures, retryAfterSeconds: null, random: 0.999_999 }));
    expect(longest).toEqual([1, 2, 4].map((times) => LIMITS.retryBaseMilliseconds * times - 1).concat(LIMITS.retryWaitMilliseconds - 1));
    expect(backoffMilliseconds({ failures: 3, retryAfterSeconds: null, random: 0 })).toBe(0);
  });
});
