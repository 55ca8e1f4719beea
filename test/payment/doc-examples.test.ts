/** Each provider's documented example, typed in from its documentation, is taken as what it says. */
import { describe, expect, test } from "vitest";
import { tokenOf } from "../../workers/payment/tbank.ts";
import { delivery, digests, provider } from "./providers.ts";
import { cloudpaymentsHeaders, stripeHeader } from "./signing.ts";

describe("T-Bank", () => {
  test("the token example of developer.tbank.ru/eacq/intro/developer/notification is reproduced", () => {
    const body =
      '{"TerminalKey":"1234567890DEMO","OrderId":"000000","Success":true,"Status":"AUTHORIZED","PaymentId":"0000000","ErrorCode":"0",' +
      '"Amount":1111,"CardId":"000000","Pan":"200000******0000","ExpDate":"1111","RebillId":"000000",' +
      '"Token":"1c0964277d0213349243065a0d5b838b8e90d2d25f740d0f2767836e710e80c8","Data":{"Route":"TCB"},"Receipt":{"Email":"a@test.ru"}}';
    expect(tokenOf(body, "11111111111", digests)).toBe("1c0964277d0213349243065a0d5b838b8e90d2d25f740d0f2767836e710e80c8");
  });

  test("the notification of tbank.ru/kassa/dev/payments leads to GetState of its payment", () => {
    const body =
      '{"TerminalKey":"1321054611234DEMO","OrderId":"201709","Success":true,"Status":"AUTHORIZED","PaymentId":8742591,"ErrorCode":"0",' +
      '"Amount":9855,"CardId":322264,"Pan":"430000******0777","ExpDate":"1122","RebillId":101709,' +
      '"Token":"b906d28e76c6428e37b25fcf86c0adc52c63d503013fdd632e300593d165766b"}';
    const tbank = provider("tbank", { TBANK_TERMINAL_KEY: "1321054611234DEMO", TBANK_PASSWORD: "Dfsfh56dgKl" });
    const reading = tbank.receive(delivery(body));
    const next = reading.ok ? reading.next : null;
    expect(next?.call.url).toBe("https://securepay.tinkoff.ru/v2/GetState");
    expect(next?.call.body).toContain('"PaymentId":"8742591"');
    const answer =
      '{"Success":true,"ErrorCode":"0","Message":"OK","TerminalKey":"1321054611234DEMO","Status":"CONFIRMED","PaymentId":"8742591","OrderId":"201709","Amount":9855}';
    expect(next?.read({ status: 200, text: answer })).toMatchObject({
      ok: true,
      notices: [{ kind: "paid", payment_id: "8742591", order_id: "201709", amount_micro: "98550000", currency: "RUB", test: true }],
    });
    expect(tbank.acknowledge("payable")).toEqual({ contentType: "text/plain", body: "OK" });
  });

  test("the token example of tbank.ru/kassa/dev/payments for requests, with text in Cyrillic, is reproduced", () => {
    const body =
      '{"TerminalKey":"MerchantTerminalKey","Amount":19200,"OrderId":"00000","Description":"Подарочная карта на 1000 рублей","DATA":{"Email":"a@test.com"}}';
    expect(tokenOf(body, "11111111111111", digests)).toBe("72dd466f8ace0a37a1f740ce5fb78101712bc0665d91a8108c7c8a0ccd426db2");
  });
});

test("Standard Webhooks: the test vector of the reference libraries is taken", () => {
  const headers = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  };
  const standard = provider("standard");
  const body = '{"test": 2432232314}';
  // True, and no message of ours: it has no type.
  expect(standard.receive(delivery(body, headers, 1_614_265_330))).toMatchObject({ ok: false, refusal: "unreadable" });
  expect(standard.receive(delivery(body.replace("4", "5"), headers, 1_614_265_330))).toMatchObject({ ok: false, refusal: "forged" });
});

describe("Stripe", () => {
  const event =
    '{"id":"evt_1","object":"event","type":"payment_intent.succeeded","livemode":true,"created":1492774577,"data":{"object":{"id":"pi_1","object":"payment_intent",' +
    '"amount":10000,"amount_received":10000,"currency":"rub","status":"succeeded","metadata":{"order_id":"ord_000000000000000000000001"}}}}';

  test("a header of the documented form, with a v0 of test events beside v1, is taken", () => {
    const header = `${stripeHeader(event, { secret: "whsec_test_stripe_secret", seconds: 1_492_774_577 })},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39`;
    expect(provider("stripe").receive(delivery(event, { "stripe-signature": header }, 1_492_774_600))).toMatchObject({
      ok: true,
      notices: [
        {
          kind: "paid",
          payment_id: "pi_1",
          order_id: "ord_000000000000000000000001",
          amount_micro: "100000000",
          currency: "RUB",
          test: false,
        },
      ],
    });
  });

  test("the header that docs.stripe.com/webhooks prints is read, and is nobody's signature of ours", () => {
    const header =
      "t=1492774577,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd,v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39";
    expect(provider("stripe").receive(delivery(event, { "stripe-signature": header }, 1_492_774_577))).toMatchObject({ refusal: "forged" });
  });
});

test("YooKassa: the notification of yookassa.ru/developers/using-api/webhooks leads to its payment, which is the proof", () => {
  const id = "22d6d597-000f-5000-9000-145f6df21d6f";
  const object =
    `{"id":"${id}","status":"succeeded","paid":true,"amount":{"value":"2.00","currency":"RUB"},"authorization_details":{"rrn":"10000000000","auth_code":"000000",` +
    '"three_d_secure":{"applied":true}},"created_at":"2018-07-10T14:27:54.691Z","description":"Заказ №72","expires_at":"2018-07-17T14:28:32.484Z",' +
    '"metadata":{"order_id":"ord_000000000000000000000002"},"payment_method":{"type":"bank_card","id":"22d6d597-000f-5000-9000-145f6df21d6f","saved":false},"refundable":false,"test":false}';
  const yookassa = provider("yookassa");
  const reading = yookassa.receive(delivery(`{"type":"notification","event":"payment.succeeded","object":${object}}`));
  const next = reading.ok ? reading.next : null;
  expect(reading).toMatchObject({ ok: true, notices: [] });
  expect(next?.call).toMatchObject({
    method: "GET",
    url: `https://api.yookassa.ru/v3/payments/${id}`,
    headers: { authorization: `Basic ${btoa("506751:test_yookassa_secret")}` },
  });
  expect(next?.read({ status: 200, text: object })).toMatchObject({
    ok: true,
    notices: [{ kind: "paid", payment_id: id, order_id: "ord_000000000000000000000002", amount_micro: "2000000", currency: "RUB" }],
  });
});

test("CloudPayments: a pay notification with the documented fields is proven by either header, and then by its transaction", () => {
  const body =
    "TransactionId=504&Amount=10.00&Currency=RUB&PaymentAmount=10.00&PaymentCurrency=RUB&DateTime=2014-08-09+11%3A49%3A42&CardFirstSix=411111&CardLastFour=1111" +
    "&CardType=Visa&CardExpDate=05%2F30&TestMode=0&Status=Completed&OperationType=Payment&GatewayName=Test&InvoiceId=1234567&AccountId=user_x&Name=CARDHOLDER+NAME" +
    "&Description=%D0%9E%D0%BF%D0%BB%D0%B0%D1%82%D0%B0";
  const headers = { "content-type": "application/x-www-form-urlencoded", ...cloudpaymentsHeaders(body, "cloudpayments-secret") };
  const cloudpayments = provider("cloudpayments");
  for (const left of ["x-content-hmac", "content-hmac"]) {
    const reading = cloudpayments.receive(delivery(body, { ...headers, [left]: "" }));
    const next = reading.ok ? reading.next : null;
    expect(next?.call).toMatchObject({ method: "POST", url: "https://api.cloudpayments.ru/payments/get", body: '{"TransactionId":504}' });
    const model =
      '{"Model":{"TransactionId":504,"Amount":10.00000,"Currency":"RUB","InvoiceId":"1234567","TestMode":false,"Status":"Completed"},"Success":true,"Message":null}';
    expect(next?.read({ status: 200, text: model })).toMatchObject({
      ok: true,
      check: null,
      notices: [{ kind: "paid", payment_id: "504", order_id: "1234567", amount_micro: "10000000", currency: "RUB", test: false }],
    });
  }
  expect(cloudpayments.acknowledge("payable").body).toBe('{"code":0}');
});
