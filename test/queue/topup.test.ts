/** A payment is one credit: wherever the work stops, however often and in whatever order it is told, and never more than was ordered. */
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import type { OrderRow, PaymentNotice } from "../../schema/payment.ts";
import type { PaymentProvider, Question } from "../../workers/payment/payment-provider.ts";
import { applyNotice } from "../../workers/topup/apply-notice.ts";
import { pollPayments } from "../../workers/topup/poll-payments.ts";
import { bookings, Crash, crashing, inboxOf, newOrder, paidNotice, portsWith, returnNotice, stateOf } from "./topup-stage.ts";

const credited = (order: OrderRow): object[] => [
  { kind: "credit", external_id: `standard:pay-${order.id}`, amount_micro_rub: order.credit_micro_rub.toString() },
];

/** Applies a notice with a crash at each of its steps, then once more as the provider's retry would; gives how many steps there are. */
async function crashEverywhere(
  prepare: () => Promise<{ order: OrderRow; notice: PaymentNotice }>,
  check: (order: OrderRow) => Promise<void>,
): Promise<number> {
  for (let at = 0; ; at++) {
    for (const when of ["before", "after"] as const) {
      const { order, notice } = await prepare();
      const crashed = await applyNotice(notice, "", crashing(at, when)).then(
        () => false,
        (error: unknown) => {
          if (!(error instanceof Crash)) throw error;
          return true;
        },
      );
      if (!crashed) return at;
      expect(await applyNotice(notice, "", portsWith())).toBeNull();
      await check(order);
    }
  }
}

describe("a paid order", () => {
  test("is credited once when the work stops before or after any of its steps and is told again", async () => {
    const steps = await crashEverywhere(
      async () => {
        const order = await newOrder();
        return { order, notice: paidNotice(order) };
      },
      async (order) => {
        expect(await bookings(order)).toEqual(credited(order));
        expect(await stateOf(order)).toBe("paid");
      },
    );
    expect(steps).toBeGreaterThan(7);
  });

  test("is credited once by the cron job when the work stops after any step and nobody tells again", async () => {
    for (let at = 1; ; at++) {
      const order = await newOrder();
      const crashed = await applyNotice(paidNotice(order), "", crashing(at, "before")).then(
        () => false,
        () => true,
      );
      if (!crashed) break;
      await pollPayments(portsWith());
      expect([at, await bookings(order)]).toEqual([at, credited(order)]);
      expect(await stateOf(order)).toBe("paid");
    }
  });

  test("is credited once by twenty deliveries at the same time", async () => {
    const order = await newOrder();
    const parked = await Promise.all(Array.from({ length: 20 }, () => applyNotice(paidNotice(order), "", portsWith())));
    expect(new Set(parked)).toEqual(new Set([null]));
    expect(await bookings(order)).toEqual(credited(order));
    expect(await inboxOf(`pay-${order.id}`)).toMatchObject([{ state: "done", deliveries: 20 }]);
  });

  test("takes one payment: a second one, at once or later, waits for a person", async () => {
    const order = await newOrder();
    const both = await Promise.all(
      ["first", "second"].map((payment) => applyNotice(paidNotice(order, `${payment}-${order.id}`), "", portsWith())),
    );
    expect(both.toSorted()).toEqual(["order_paid_by_other_payment", null].toSorted());
    expect(await applyNotice(paidNotice(order, `third-${order.id}`), "", portsWith())).toBe("order_paid_by_other_payment");
    expect(await bookings(order)).toHaveLength(1);
  });

  test("is not credited for a second payment that reads it as free and binds itself too late", async () => {
    const order = await newOrder();
    const ports = portsWith();
    const late = {
      ...ports.store,
      claim: async (...claim: Parameters<typeof ports.store.claim>) => {
        expect(await applyNotice(paidNotice(order), "", portsWith())).toBeNull();
        await ports.store.claim(...claim);
      },
    };
    expect(await applyNotice(paidNotice(order, `late-${order.id}`), "", { ...ports, store: late })).toBe("order_paid_by_other_payment");
    expect(await bookings(order)).toEqual(credited(order));
  });

  test("is not paid by a payment that has paid another, at once or later", async () => {
    const [order, other] = [await newOrder(), await newOrder()];
    const payment = `shared-${order.id}`;
    const both = await Promise.all([order, other].map((each) => applyNotice(paidNotice(each, payment), "", portsWith())));
    expect(both.toSorted()).toEqual(["payment_of_other_order", null].toSorted());
    expect([...(await bookings(order)), ...(await bookings(other))]).toHaveLength(1);
  });
});

describe("a payment that does not fit", () => {
  test.each<{ what: string; change: Partial<PaymentNotice>; reason: string }>([
    { what: "another amount", change: { amount_micro: "99990000" }, reason: "amount_differs" },
    { what: "an unreadable amount", change: { amount_micro: null }, reason: "amount_differs" },
    { what: "more than was ordered", change: { amount_micro: "100010000" }, reason: "amount_differs" },
    { what: "another currency", change: { currency: "USD" }, reason: "currency_differs" },
    { what: "another provider", change: { provider: "stripe" }, reason: "other_provider" },
    { what: "no real money", change: { test: true }, reason: "test_payment" },
    { what: "an order nobody made", change: { order_id: "ord_nobodys" }, reason: "unknown_order" },
    { what: "no order", change: { order_id: null }, reason: "unknown_order" },
  ])("($what) is parked as $reason and credits nothing", async ({ change, reason }) => {
    const order = await newOrder();
    expect(await applyNotice({ ...paidNotice(order), ...change }, "", portsWith())).toBe(reason);
    expect(await bookings(order)).toEqual([]);
    expect(await stateOf(order)).toBe("pending");
    expect(await inboxOf(`pay-${order.id}`)).toMatchObject([{ state: "parked", reason }]);
    // The true notice, later, is not held up by it.
    expect(await applyNotice(paidNotice(order), "", portsWith())).toBeNull();
    expect(await bookings(order)).toHaveLength(1);
  });

  test("of a test shop is money where the deployment says so", async () => {
    const order = await newOrder();
    expect(await applyNotice({ ...paidNotice(order), test: true }, "", portsWith({ testAllowed: true }))).toBeNull();
    expect(await bookings(order)).toHaveLength(1);
  });

  test("that was credited by hand under the same reference is not credited again", async () => {
    const order = await newOrder();
    const account = env.ACCOUNT.get(env.ACCOUNT.idFromName(order.account_id));
    await account.credit({ kind: "credit", external_id: `standard:pay-${order.id}`, amount_micro_rub: "100000000", record: null });
    expect(await applyNotice(paidNotice(order), "", portsWith())).toBeNull();
    expect(await bookings(order)).toHaveLength(1);
  });

  test("whose order is stored only later is credited by the cron job", async () => {
    const like = await newOrder();
    const id = `ord_late${like.id.slice(8)}`;
    const notice = { ...paidNotice(like, `late-${like.id}`), order_id: id };
    expect(await applyNotice(notice, "", portsWith())).toBe("unknown_order");
    const order = await newOrder({ id });
    await pollPayments(portsWith());
    expect(await bookings(order)).toMatchObject([{ kind: "credit", external_id: `standard:late-${like.id}` }]);
    expect(await inboxOf(`late-${like.id}`)).toMatchObject([{ state: "done", reason: null }]);
  });

  test("by one notice that names no order is settled by another that does", async () => {
    const order = await newOrder();
    expect(await applyNotice({ ...paidNotice(order), order_id: null }, "", portsWith())).toBe("unknown_order");
    expect(await applyNotice(paidNotice(order), "", portsWith())).toBeNull();
    expect((await inboxOf(`pay-${order.id}`)).map((row) => row.state)).toEqual(["done", "done"]);
    expect(await bookings(order)).toHaveLength(1);
  });
});

describe("money that goes back", () => {
  const paid = async (facts: Partial<OrderRow> = {}): Promise<OrderRow> => {
    const order = await newOrder(facts);
    await applyNotice(paidNotice(order), "", portsWith());
    return order;
  };

  test("is debited once when the work stops before or after any of its steps and is told again", async () => {
    const steps = await crashEverywhere(
      async () => {
        const order = await paid();
        return { order, notice: returnNotice(order, `re-${order.id}`, "40000000") };
      },
      async (order) => {
        expect((await bookings(order)).slice(1)).toEqual([
          { kind: "refund", external_id: `standard:refunded:re-${order.id}`, amount_micro_rub: "-40000000" },
        ]);
      },
    );
    expect(steps).toBeGreaterThan(6);
  });

  test("before the payment is told of waits for it", async () => {
    const order = await newOrder();
    const refund = returnNotice(order, `re-${order.id}`, "100000000");
    expect(await applyNotice(refund, "", portsWith())).toBe("payment_not_credited");
    expect(await bookings(order)).toEqual([]);
    expect(await applyNotice(paidNotice(order), "", portsWith())).toBeNull();
    expect((await bookings(order)).map(({ kind, amount_micro_rub }) => [kind, amount_micro_rub])).toEqual([
      ["credit", "100000000"],
      ["refund", "-100000000"],
    ]);
  });

  test("while the credit of its payment is still under way waits for that", async () => {
    const order = await newOrder();
    const stopped = portsWith({ credit: () => Promise.reject(new Crash()) });
    await expect(applyNotice(paidNotice(order), "", stopped)).rejects.toThrow(Crash);
    expect(await stateOf(order)).toBe("claimed");
    expect(await applyNotice(returnNotice(order, `re-${order.id}`, "100000000"), "", portsWith())).toBe("payment_not_credited");
    await pollPayments(portsWith());
    expect((await bookings(order)).map(({ kind }) => kind)).toEqual(["credit", "refund"]);
  });

  test("in parts and at the same time is never more than was paid", async () => {
    const order = await paid();
    const parts = ["a", "b", "c", "d", "e"].map((name) => returnNotice(order, `${name}-${order.id}`, "30000000"));
    const results = await Promise.all([...parts, ...parts].map((part) => applyNotice(part, "", portsWith())));
    expect(results.filter((parked) => parked === null)).toHaveLength(6);
    expect(results.filter((parked) => parked === "exceeds_payment")).toHaveLength(4);
    const sum = (await bookings(order)).reduce((total, entry) => total + BigInt(entry.amount_micro_rub), 0n);
    expect(sum).toBe(10_000_000n);
    // All that is left, once.
    const rest = returnNotice(order, `rest-${order.id}`, null, "charged_back");
    expect([await applyNotice(rest, "", portsWith()), await applyNotice(rest, "", portsWith())]).toEqual([null, null]);
    expect((await bookings(order)).at(-1)).toMatchObject({ kind: "chargeback", amount_micro_rub: "-10000000" });
  });

  test("of an order in dollars adds up to its credit exactly, whatever the parts", async () => {
    const order = await paid({
      currency: "USD",
      amount_micro: 10_000_000n,
      credit_micro_rub: 901_234_567n,
      fx_micro_rub_per_usd: 90_123_456n,
    });
    for (const name of ["a", "b", "c"])
      await applyNotice({ ...returnNotice(order, `${name}-${order.id}`, "3330000"), currency: "USD" }, "", portsWith());
    await applyNotice({ ...returnNotice(order, `d-${order.id}`, "10000"), currency: null }, "", portsWith());
    const sum = (await bookings(order)).reduce((total, entry) => total + BigInt(entry.amount_micro_rub), 0n);
    expect([await bookings(order), sum]).toMatchObject([{ length: 5 }, 0n]);
  });

  test("in another currency than the payment's is parked", async () => {
    const order = await paid();
    expect(await applyNotice({ ...returnNotice(order, `re-${order.id}`, "1"), currency: "USD" }, "", portsWith())).toBe("currency_differs");
    expect(await bookings(order)).toHaveLength(1);
  });
});

describe("the poll", () => {
  const finding = (notices: readonly PaymentNotice[], asked: string[] = []): PaymentProvider => ({
    receive: () => ({ ok: false, refusal: "forged", detail: "" }),
    acknowledge: () => ({ contentType: "", body: "" }),
    search: (orders) => {
      asked.push(...orders.map(({ id }) => id));
      const question: Question = {
        call: { method: "GET", url: "", headers: {}, body: null },
        read: () => ({ ok: true, notices, next: null, check: null }),
      };
      return orders.length === 0 ? [] : [question];
    },
  });
  const polling = (provider: PaymentProvider): ReturnType<typeof portsWith> =>
    portsWith({ provider: (id) => (id === "tbank" ? provider : null), call: () => Promise.resolve({ status: 200, text: "" }) });
  const MINUTE = 60_000;

  test("credits an order whose webhook never came, and not again when it comes after all", async () => {
    const order = await newOrder({ provider: "tbank", created_at: Date.now() - 11 * MINUTE });
    expect(await pollPayments(polling(finding([paidNotice(order)])))).toMatchObject({ found: 1, failed: 0 });
    expect(await bookings(order)).toHaveLength(1);
    await applyNotice(paidNotice(order), "hash", portsWith());
    expect(await bookings(order)).toHaveLength(1);
  });

  test("leaves young, paid and very old orders alone, and asks ever more rarely", async () => {
    const now = Date.now();
    const young = await newOrder({ provider: "tbank", created_at: now - 9 * MINUTE });
    const due = await newOrder({ provider: "tbank", created_at: now - 60 * MINUTE });
    const ancient = await newOrder({ provider: "tbank", created_at: now - 15 * 24 * 60 * MINUTE });
    const asked: string[] = [];
    const provider = finding([], asked);
    await pollPayments(polling(provider));
    expect(asked).toContain(due.id);
    expect(asked).not.toContain(young.id);
    expect(asked).not.toContain(ancient.id);
    asked.length = 0;
    const at = (later: number): ReturnType<typeof portsWith> => ({ ...polling(provider), now: () => now + later });
    await pollPayments(at(5 * MINUTE));
    expect(asked).not.toContain(due.id);
    await pollPayments(at(21 * MINUTE));
    expect(asked).toContain(due.id);
  });

  test("goes on past a provider that does not answer", async () => {
    const order = await newOrder({ provider: "tbank", created_at: Date.now() - 30 * MINUTE });
    const silent = { ...polling(finding([paidNotice(order)])), call: () => Promise.resolve(null) };
    expect(await pollPayments(silent)).toMatchObject({ found: 0, failed: 1 });
    expect(await stateOf(order)).toBe("pending");
  });
});
