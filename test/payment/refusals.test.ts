/** What is not a provider's word is refused, whatever it looks like; and words that are true move no more money than they say. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isAddressIn } from "../../workers/payment/address-list.ts";
import { decimalOfMicro, microOfDecimal, microOfHundredths, microRubOfUsd } from "../../workers/payment/amount.ts";
import type { Reading } from "../../workers/payment/payment-provider.ts";
import { delivery, provider, SETTINGS } from "./providers.ts";
import { cloudpaymentsHeaders, standardHeaders, stripeHeader, tbankToken } from "./signing.ts";

const NOW = 1_700_000_000;
const event = (object: object, type = "payment_intent.succeeded"): string =>
  JSON.stringify({ id: "evt_1", object: "event", type, livemode: true, data: { object } });
const intent = { id: "pi_1", status: "succeeded", amount_received: 10_000, currency: "rub", metadata: { order_id: "ord_1" } };

function stripeReading(body: string, header: string, seconds = NOW, settings: Record<string, string> = {}): Reading {
  return provider("stripe", settings).receive(delivery(body, { "stripe-signature": header }, seconds));
}

describe("a Stripe signature", () => {
  const secret = SETTINGS.STRIPE_WEBHOOK_SECRET;
  const body = event(intent);

  test.each([-300, -299, 0, 299, 300])("made %i seconds from now is taken", (seconds) => {
    expect(stripeReading(body, stripeHeader(body, { secret, seconds: NOW + seconds }))).toMatchObject({ ok: true });
  });

  test.each([-301, 301, -86_400, 86_400])("made %i seconds from now is not", (seconds) => {
    expect(stripeReading(body, stripeHeader(body, { secret, seconds: NOW + seconds }))).toMatchObject({ refusal: "forged" });
  });

  test("may be any of several v1, under any of several secrets", () => {
    const old = stripeHeader(body, { secret: "whsec_old", seconds: NOW });
    const both = `${old},${stripeHeader(body, { secret, seconds: NOW }).split(",")[1] ?? ""}`;
    expect(stripeReading(body, both)).toMatchObject({ ok: true });
    expect(stripeReading(body, old, NOW, { STRIPE_WEBHOOK_SECRET: "whsec_new, whsec_old" })).toMatchObject({ ok: true });
    expect(stripeReading(body, old)).toMatchObject({ refusal: "forged" });
  });

  test("is not taken with two times, without one, with none at all, or among more than sixteen", () => {
    const good = stripeHeader(body, { secret, seconds: NOW });
    const crowd = Array.from({ length: 17 }, () => "v1=00").join(",");
    for (const header of [`t=${NOW},${good}`, good.replace(/t=\d+,/, ""), `t=${NOW}`, "", `${crowd},${good}`, good.replace("v1=", "v0=")])
      expect(stripeReading(body, header), header).toMatchObject({ refusal: "forged" });
  });

  test("covers the bytes, so the same JSON in other bytes is refused", () => {
    const header = stripeHeader(body, { secret, seconds: NOW });
    for (const other of [
      `${body}\n`,
      ` ${body}`,
      `\ufeff${body}`,
      body.replaceAll(":", ": "),
      body.slice(0, -1),
      body.replace("10000", "10001"),
    ])
      expect(stripeReading(other, header)).toMatchObject({ refusal: "forged" });
  });
});

describe("an event of Stripe's", () => {
  const read = (body: string): Reading => stripeReading(body, stripeHeader(body, { secret: SETTINGS.STRIPE_WEBHOOK_SECRET, seconds: NOW }));

  test("that is about something else, of whatever shape, is true and moves nothing", () => {
    for (const body of ['{"type":"balance.available","data":{"object":{}}}', event({ id: "cus_1" }, "customer.created")])
      expect(read(body)).toEqual({ ok: true, notices: [], next: null, check: null });
  });

  test("of a payment that is not finished moves nothing", () => {
    expect(read(event({ ...intent, status: "processing" }))).toMatchObject({ notices: [] });
    expect(
      read(event({ id: "cs_1", payment_intent: "pi_1", payment_status: "unpaid", amount_total: 1 }, "checkout.session.completed")),
    ).toMatchObject({
      notices: [],
    });
  });

  test("of a checkout session is the same payment as its intent's", () => {
    const session = {
      id: "cs_1",
      payment_intent: "pi_1",
      payment_status: "paid",
      amount_total: 10_000,
      currency: "rub",
      client_reference_id: "ord_1",
    };
    const first = read(event(session, "checkout.session.completed"));
    expect(first).toEqual(read(event(intent)));
    expect(first).toMatchObject({ notices: [{ payment_id: "pi_1", fact_id: "pi_1", amount_micro: "100000000" }] });
  });

  test("about money that goes back names its own fact, and what is undecided is for a person", () => {
    const refund = { id: "re_1", payment_intent: "pi_1", status: "succeeded", amount: 500, currency: "rub" };
    expect(read(event(refund, "refund.created"))).toMatchObject({
      notices: [{ kind: "refunded", payment_id: "pi_1", fact_id: "re_1", amount_micro: "5000000" }],
    });
    expect(read(event({ ...refund, status: "pending" }, "refund.created"))).toMatchObject({ notices: [] });
    expect(read(event({ ...refund, id: "du_1" }, "charge.dispute.funds_withdrawn"))).toMatchObject({
      notices: [{ kind: "charged_back", fact_id: "du_1" }],
    });
    expect(read(event({ ...refund, id: "du_1" }, "charge.dispute.funds_reinstated"))).toMatchObject({ notices: [{ kind: "review" }] });
    expect(read(event({ ...refund, status: "failed" }, "refund.failed"))).toMatchObject({ notices: [{ kind: "review" }] });
  });

  test("with an amount that is no integer in the text is never rounded into one", () => {
    for (const amount of ["1e4", "10000.0", '"10,000"', "-10000", "null", "99999999999999999999"]) {
      const body = event(intent).replace("10000", amount);
      const reading = read(body);
      if (reading.ok) for (const notice of reading.notices) expect(notice.amount_micro, amount).toBeNull();
    }
    const large = event(intent).replace("10000", "900719925474");
    expect(read(large)).toMatchObject({ notices: [{ amount_micro: "9007199254740000" }] });
  });
});

describe("a standard webhook", () => {
  const secret = SETTINGS.STANDARD_WEBHOOK_SECRET;
  const body = '{"type":"payment.succeeded","data":{"payment_id":"p-1","order_id":"ord_1","amount":"100.00","currency":"rub"}}';
  const read = (headers: Record<string, string>, seconds = NOW, settings: Record<string, string> = {}): Reading =>
    provider("standard", settings).receive(delivery(body, headers, seconds));

  test("is taken near its time to both sides, and no further", () => {
    const headers = standardHeaders(body, { id: "msg_1", secret, seconds: NOW });
    expect(read(headers, NOW + 300)).toMatchObject({ ok: true, notices: [{ amount_micro: "100000000", currency: "RUB" }] });
    expect(read(headers, NOW - 300)).toMatchObject({ ok: true });
    expect(read(headers, NOW + 301)).toMatchObject({ refusal: "forged" });
    expect(read(headers, NOW - 301)).toMatchObject({ refusal: "forged" });
  });

  test("may carry several signatures, of which v1a is not ours to check, under several secrets", () => {
    const headers = standardHeaders(body, { id: "msg_1", secret, seconds: NOW });
    const list = `v1a,AAAA v1,AAAA ${headers["webhook-signature"] ?? ""}`;
    expect(read({ ...headers, "webhook-signature": list })).toMatchObject({ ok: true });
    const rotated = { STANDARD_WEBHOOK_SECRET: `whsec_${btoa("x".repeat(32))},${secret}` };
    expect(read(headers, NOW, rotated)).toMatchObject({ ok: true });
  });

  test("is refused with another id, a point in its id, or another time than was signed", () => {
    const headers = standardHeaders(body, { id: "msg_1", secret, seconds: NOW });
    for (const change of [
      { "webhook-id": "msg_2" },
      { "webhook-timestamp": String(NOW + 1) },
      { "webhook-id": "" },
      { "webhook-signature": "v1," },
    ])
      expect(read({ ...headers, ...change })).toMatchObject({ refusal: "forged" });
    expect(read(standardHeaders(body, { id: "msg.1", secret, seconds: NOW }))).toMatchObject({ refusal: "forged" });
  });

  test("is off with a secret too short to be one", () => {
    expect(() => provider("standard", { STANDARD_WEBHOOK_SECRET: `whsec_${btoa("short")}` })).toThrow("not set up");
    expect(() => provider("standard", { STANDARD_WEBHOOK_SECRET: "not base64 at all!" })).toThrow("not set up");
  });
});

describe("a CloudPayments notification", () => {
  const secret = SETTINGS.CLOUDPAYMENTS_API_SECRET;
  const form = "application/x-www-form-urlencoded";
  const read = (body: string, headers: Record<string, string>): Reading =>
    provider("cloudpayments").receive(delivery(body, { "content-type": form, ...headers }));

  test("proven only by its decoded form is refused where that form could be read as other fields", () => {
    const signed = "TransactionId=1&Amount=1.00&Status=Completed&InvoiceId=a&Description=x%26Amount%3D1000.00";
    const headers = { "content-hmac": cloudpaymentsHeaders(signed, secret)["content-hmac"] ?? "" };
    const split = "TransactionId=1&Amount=1.00&Status=Completed&InvoiceId=a&Description=x&Amount=1000.00";
    expect(read(signed, headers)).toMatchObject({ refusal: "forged" });
    // The same decoded text with the second amount as a field of its own: an amount named twice is none.
    const reading = read(split, headers);
    const next = reading.ok ? reading.next : null;
    expect(
      next?.read({ status: 200, text: '{"Success":true,"Model":{"TransactionId":1,"Status":"Authorized","Currency":"RUB"}}' }),
    ).toMatchObject({
      notices: [],
      check: { amount_micro: null },
    });
  });

  test("in JSON is read by its own digits", () => {
    const body = '{"TransactionId":9007199254740993,"PaymentTransactionId":504,"Amount":10.10,"InvoiceId":"ord_1"}';
    const headers = { "content-type": "application/json", ...cloudpaymentsHeaders(body, secret) };
    expect(read(body, headers)).toMatchObject({
      notices: [{ kind: "refunded", payment_id: "504", fact_id: "9007199254740993", amount_micro: "10100000", currency: null }],
    });
  });

  test("of a transaction that the API shows unpaid is a check, with the provider's own codes as answers", () => {
    const body = "TransactionId=7&Amount=10.00&Currency=RUB&Status=Completed&InvoiceId=ord_1";
    const reading = read(body, cloudpaymentsHeaders(body, secret));
    const next = reading.ok ? reading.next : null;
    const answer =
      '{"Success":false,"Message":null,"Model":{"TransactionId":7,"Status":"AwaitingAuthentication","Currency":"RUB","Amount":10}}';
    expect(next?.read({ status: 200, text: answer })).toMatchObject({
      notices: [],
      check: { order_id: "ord_1", amount_micro: "10000000", currency: "RUB" },
    });
    const { acknowledge } = provider("cloudpayments");
    expect([acknowledge("unknown_order"), acknowledge("wrong_amount"), acknowledge("already_paid")].map(({ body: text }) => text)).toEqual([
      '{"code":10}',
      '{"code":12}',
      '{"code":13}',
    ]);
  });

  test("is refused unsigned, and where the API speaks of another transaction", () => {
    const body = "TransactionId=7&Amount=10.00&Currency=RUB&Status=Completed&InvoiceId=ord_1";
    expect(read(body, {})).toMatchObject({ refusal: "forged" });
    expect(read(body, cloudpaymentsHeaders(body, "another"))).toMatchObject({ refusal: "forged" });
    const reading = read(body, cloudpaymentsHeaders(body, secret));
    const other = '{"Success":true,"Model":{"TransactionId":8,"Status":"Completed","Currency":"RUB","Amount":10,"InvoiceId":"ord_1"}}';
    expect((reading.ok ? reading.next : null)?.read({ status: 200, text: other })).toMatchObject({ refusal: "unanswered" });
  });
});

describe("a T-Bank notification", () => {
  const fields = {
    TerminalKey: SETTINGS.TBANK_TERMINAL_KEY,
    OrderId: "ord_1",
    Success: true,
    Status: "CONFIRMED",
    PaymentId: 77,
    Amount: 10_000,
  };
  const signed = (more: object = {}): string => {
    const all = { ...fields, ...more };
    return JSON.stringify({ ...all, Token: tbankToken(all, SETTINGS.TBANK_PASSWORD) });
  };
  const read = (body: string): Reading => provider("tbank").receive(delivery(body));
  const answered = (answer: object): Reading | undefined => {
    const reading = read(signed());
    return (reading.ok ? reading.next : null)?.read({ status: 200, text: JSON.stringify(answer) });
  };
  const state = {
    Success: true,
    TerminalKey: SETTINGS.TBANK_TERMINAL_KEY,
    PaymentId: "77",
    OrderId: "ord_1",
    Status: "CONFIRMED",
    Amount: 10_000,
  };

  test("whose token is that of other digits, another terminal or no terminal is refused", () => {
    for (const body of [
      signed().replace("10000", "10001"),
      signed({ TerminalKey: "other" }),
      signed().replace(/"Token":"../, '"Token":"'),
      "{}",
    ])
      expect(read(body), body).toMatchObject({ refusal: "forged" });
    expect(read("[1]")).toMatchObject({ refusal: "unreadable" });
  });

  test("is believed only as far as GetState goes", () => {
    expect(answered(state)).toMatchObject({ notices: [{ kind: "paid", amount_micro: "100000000" }] });
    expect(answered({ ...state, Status: "AUTHORIZED" })).toMatchObject({ ok: true, notices: [] });
    expect(answered({ ...state, Status: "REFUNDED" })).toMatchObject({
      notices: [{ kind: "refunded", amount_micro: null, fact_id: "77:REFUNDED" }],
    });
    expect(answered({ ...state, Status: "PARTIAL_REFUNDED" })).toMatchObject({ notices: [{ kind: "review" }] });
    expect(answered({ ...state, PaymentId: "78" })).toMatchObject({ refusal: "unanswered" });
    expect(answered({ ...state, Success: false })).toMatchObject({ refusal: "unknown_payment" });
    expect(answered({})).toMatchObject({ refusal: "unanswered" });
  });

  test("of the moved border between two values has the same token, which is why the token is no proof", () => {
    const moved = { ...fields, OrderId: "ord_11", Amount: 10_000 };
    expect(tbankToken({ ...moved, OrderId: "ord_1", PaymentId: 1177 }, "p")).not.toBe(tbankToken(moved, "p"));
    expect(tbankToken({ A: "1", B: "23" }, "p")).toBe(tbankToken({ A: "12", B: "3" }, "p"));
  });
});

describe("a YooKassa notification", () => {
  const body =
    '{"type":"notification","event":"payment.succeeded","object":{"id":"2c-1","amount":{"value":"900000.00","currency":"RUB"},"status":"succeeded"}}';
  const question = (settings: Record<string, string> = {}, address: string | null = null): Reading =>
    provider("yookassa", settings).receive(delivery(body, {}, NOW, address));
  const answered = (answer: object, status = 200): Reading | undefined => {
    const reading = question();
    return (reading.ok ? reading.next : null)?.read({ status, text: JSON.stringify(answer) });
  };
  const payment = {
    id: "2c-1",
    status: "succeeded",
    paid: true,
    amount: { value: "1.00", currency: "RUB" },
    metadata: { order_id: "ord_1" },
  };

  test("moves what the API says, whatever it says itself", () => {
    expect(answered(payment)).toMatchObject({ notices: [{ amount_micro: "1000000" }] });
    for (const other of [{ status: "pending" }, { status: "waiting_for_capture" }, { status: "canceled" }, { paid: false }])
      expect(answered({ ...payment, ...other })).toEqual({ ok: true, notices: [], next: null, check: null });
  });

  test("of a payment that the API does not know, or about which it says nothing, is refused", () => {
    expect(answered({ type: "error", code: "not_found" }, 404)).toMatchObject({ refusal: "unknown_payment" });
    expect(answered({ ...payment, id: "2c-2" })).toMatchObject({ refusal: "unanswered" });
    expect(answered(payment, 500)).toMatchObject({ refusal: "unanswered" });
    expect(answered({})).toMatchObject({ refusal: "unanswered" });
  });

  test("cannot name another path of the API than a payment's", () => {
    for (const id of ["../refunds/1", "1/capture", "1?x=1", "", "%2e%2e"])
      expect(provider("yookassa").receive(delivery(body.replace("2c-1", id))), id).toMatchObject({ refusal: "unreadable" });
  });

  test("from elsewhere is dropped where the address can be known, and only there", () => {
    const filter = { YOOKASSA_ADDRESS_FILTER: "cloudflare" };
    expect(question(filter, "185.71.76.5")).toMatchObject({ ok: true });
    expect(question(filter, "2a02:5180:0:1509::7")).toMatchObject({ ok: true });
    expect(question(filter, "185.71.76.32")).toMatchObject({ refusal: "address" });
    expect(question(filter)).toMatchObject({ refusal: "address" });
    expect(question({}, "203.0.113.9")).toMatchObject({ ok: true });
    expect(question({ ...filter, YOOKASSA_ADDRESSES: "203.0.113.0/24" }, "203.0.113.9")).toMatchObject({ ok: true });
  });
});

describe("amounts", () => {
  test("are their own digits, and nothing that is not plain", () => {
    expect(["2.00", "0.01", "100", "99.9", "999999999.999999"].map(microOfDecimal)).toEqual([
      "2000000",
      "10000",
      "100000000",
      "99900000",
      "999999999999999",
    ]);
    for (const text of ["", ".5", "5.", "-1", "+1", "1e3", "1,00", " 1", "1.0000001", "1234567890", "NaN", "0x10", "١"])
      expect([text, microOfDecimal(text)]).toEqual([text, null]);
    expect(microOfHundredths("9855")).toBe("98550000");
    for (const text of ["", "1.0", "1e2", "-5", "1234567890123"]) expect(microOfHundredths(text)).toBeNull();
  });

  test("go through text and back to the hundredth", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 99_999_999_999n }), (hundredths) => {
        const micro = hundredths * 10_000n;
        expect(microOfDecimal(decimalOfMicro(micro))).toBe(micro.toString());
        expect(microOfHundredths(hundredths.toString())).toBe(micro.toString());
      }),
    );
  });

  test("in dollars are rounded down to the micro-RUB", () => {
    expect(microRubOfUsd(1_000_000n, 90_123_456n)).toBe(90_123_456n);
    expect(microRubOfUsd(10_000n, 90_123_456n)).toBe(901_234n);
  });
});

test("addresses are compared by their bits", () => {
  expect(isAddressIn("77.75.153.127", ["77.75.153.0/25"])).toBe(true);
  expect(isAddressIn("77.75.153.128", ["77.75.153.0/25"])).toBe(false);
  expect(isAddressIn("77.75.156.11", ["77.75.156.11"])).toBe(true);
  expect(isAddressIn("::ffff:77.75.156.11", ["77.75.156.11"])).toBe(true);
  expect(isAddressIn("2a02:5180:ffff::1", ["2a02:5180::/32"])).toBe(true);
  expect(isAddressIn("2a02:5181::1", ["2a02:5180::/32"])).toBe(false);
  for (const text of ["", "1.2.3", "1.2.3.256", "a::b::c", "1:2:3:4:5:6:7", "::12345", "host", "1.2.3.4, 185.71.76.1"])
    expect(isAddressIn(text, ["0.0.0.0/0", "::/0"]), text).toBe(false);
});
