/**
 * T-Bank (developer.tbank.ru/eacq). Its `Token` is SHA-256 over the values of the root's scalars and the terminal's password, in the order
 * of their names and with nothing between them: two bodies can have one token, nested fields are not in it, and it has no time. So the
 * token only keeps strangers out, and the proof is the payment's state as `GetState` gives it. Amounts are in kopecks.
 */
import { z } from "zod";
import { isObject, parseJson, parseWith } from "../../schema/json.ts";
import { elementSlices } from "../../schema/json-slice.ts";
import type { PaymentNotice } from "../../schema/payment.ts";
import { microOfHundredths } from "./amount.ts";
import { bytesOf, type Digests, hexOf, isSameText, textOf } from "./bytes.ts";
import { scalarAt } from "./json-field.ts";
import {
  type ApiAnswer,
  apiCall,
  ask,
  type Delivery,
  notice,
  type PaymentProviderKind,
  type Question,
  type Reading,
  refused,
  said,
  unanswered,
} from "./payment-provider.ts";

/** Ids come as numbers in notifications and as strings in answers: they are compared as the digits they are. */
const stateSchema = z.looseObject({
  Success: z.boolean(),
  Status: z.string().optional(),
  OrderId: z.string().optional(),
  TerminalKey: z.string(),
});
const ordersSchema = z.looseObject({ Success: z.boolean(), Payments: z.array(z.unknown()).nullish() });
const statusSchema = z.looseObject({ Status: z.string() });
const digits = /^\d{1,20}$/;

/** The token of a body: its root's scalars, each as it is written, but for `Token` itself and what is null. Null: no JSON object. */
export function tokenOf(text: string, password: string, digests: Digests): string | null {
  const parsed = parseJson(text);
  if (!parsed.ok || !isObject(parsed.value)) return null;
  const values = new Map<string, string>();
  for (const [name, value] of Object.entries(parsed.value)) {
    if (typeof value === "boolean") values.set(name, String(value));
    if (typeof value === "string" || typeof value === "number") values.set(name, scalarAt(text, [name]) ?? "");
  }
  values.delete("Token");
  values.set("Password", password);
  const names = [...values.keys()].toSorted((left, right) => (left < right ? -1 : 1));
  return hexOf(digests.sha256(bytesOf(names.map((name) => values.get(name) ?? "").join(""))));
}

interface Terminal {
  key: string;
  /** The terminal of a test shop: no money moves. */
  test: boolean;
}

/** What a payment's state means for its order. */
function noticesOf(
  status: string,
  facts: Pick<PaymentNotice, "payment_id" | "order_id" | "amount_micro">,
  { test }: Terminal,
): PaymentNotice[] {
  const shared = { provider: "tbank", currency: "RUB", test, ...facts } as const;
  if (status === "CONFIRMED") return [notice({ ...shared, kind: "paid" })];
  const fact_id = `${facts.payment_id}:${status}`;
  if (status === "REFUNDED") return [notice({ ...shared, kind: "refunded", fact_id, amount_micro: null })];
  // The documentation does not say whether the amount is what went back or what is left.
  if (status === "PARTIAL_REFUNDED")
    return [notice({ ...shared, kind: "review", fact_id: `${fact_id}:${facts.amount_micro ?? "?"}`, detail: status })];
  return [];
}

export const tbank: PaymentProviderKind = {
  id: "tbank",
  currencies: ["RUB"],
  needs: ["TBANK_TERMINAL_KEY", "TBANK_PASSWORD"],
  open: (setting, digests) => {
    const [key, password] = [setting("TBANK_TERMINAL_KEY"), setting("TBANK_PASSWORD")];
    if (key === null || password === null) return null;
    const terminal = { key, test: key.endsWith("DEMO") };
    const baseUrl = setting("TBANK_BASE_URL") ?? "https://securepay.tinkoff.ru/v2";
    const post = (path: string, fields: Record<string, string>, read: Question["read"]): Question => {
      const body = { TerminalKey: key, ...fields };
      return {
        call: apiCall(baseUrl, path, {}, JSON.stringify({ ...body, Token: tokenOf(JSON.stringify(body), password, digests) })),
        read,
      };
    };
    const receive = ({ bytes }: Delivery): Reading => {
      const text = textOf(bytes) ?? "";
      const expected = tokenOf(text, password, digests);
      if (expected === null) return refused("unreadable", "the body is no JSON object");
      if (!isSameText(scalarAt(text, ["Token"]) ?? "", expected) || scalarAt(text, ["TerminalKey"]) !== key)
        return refused("forged", "no token of our terminal");
      const paymentId = scalarAt(text, ["PaymentId"]) ?? "";
      // Notifications about a card or an account that was bound have no payment.
      if (!digits.test(paymentId)) return said();
      return ask(post("/GetState", { PaymentId: paymentId }, (answer) => readState(answer, paymentId, terminal)));
    };
    return {
      receive,
      search: (orders) =>
        orders.map((order) => post("/CheckOrder", { OrderId: order.id }, (answer) => readOrder(answer, order.id, terminal))),
      acknowledge: () => ({ contentType: "text/plain", body: "OK" }),
    };
  },
};

function readState(answer: ApiAnswer, paymentId: string, terminal: Terminal): Reading {
  const state = answer.status === 200 ? parseWith(stateSchema, answer.text) : null;
  if (state === null || !state.ok || state.value.TerminalKey !== terminal.key) return unanswered(answer);
  const { Success, Status, OrderId } = state.value;
  if (!Success) return refused("unknown_payment", "T-Bank has no such payment");
  if (Status === undefined || scalarAt(answer.text, ["PaymentId"]) !== paymentId) return unanswered(answer);
  const amount_micro = microOfHundredths(scalarAt(answer.text, ["Amount"]) ?? "");
  return said(...noticesOf(Status, { payment_id: paymentId, order_id: OrderId ?? null, amount_micro }, terminal));
}

/** The payments tried for an order, of which at most one took money. */
function readOrder(answer: ApiAnswer, orderId: string, terminal: Terminal): Reading {
  const order = answer.status === 200 ? parseWith(ordersSchema, answer.text) : null;
  if (order === null || !order.ok) return unanswered(answer);
  const notices = elementSlices(answer.text, ["Payments"]).flatMap((text) => {
    const status = parseWith(statusSchema, text);
    const payment_id = scalarAt(text, ["PaymentId"]) ?? "";
    if (!status.ok || status.value.Status !== "CONFIRMED" || !digits.test(payment_id)) return [];
    const amount_micro = microOfHundredths(scalarAt(text, ["Amount"]) ?? "");
    return noticesOf("CONFIRMED", { payment_id, order_id: orderId, amount_micro }, terminal);
  });
  return said(...notices);
}
