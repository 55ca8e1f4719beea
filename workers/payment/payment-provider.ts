/**
 * workers/payment: what payment providers say, made sure of. One file a provider: how its webhook proves itself, which facts are in it,
 * how its API is asked, and what it wants to hear back. Pure: secrets, the time and the digests are arguments, a call of an API is a value
 * that somebody else carries out. Nothing here touches an order or a balance; workers/topup does.
 */
import type { Currency, PaymentNotice, PaymentProviderId } from "../../schema/payment.ts";
import type { Digests } from "./bytes.ts";

/** A webhook as it arrived. */
export interface Delivery {
  header: (name: string) => string | null;
  /** The body, untouched. */
  bytes: Uint8Array;
  /** Milliseconds. */
  now: number;
  /** Who sent it, where the edge in front of us says so; null where nobody can know. */
  address: string | null;
}

export interface ApiCall {
  method: "GET" | "POST";
  url: string;
  headers: Readonly<Record<string, string>>;
  body: string | null;
}

export interface ApiAnswer {
  status: number;
  text: string;
}

/** Something only the provider's API can answer. */
export interface Question {
  call: ApiCall;
  read: (answer: ApiAnswer) => Reading;
}

/** A provider that asks before it takes the money: may this order be paid like that? */
export interface PaymentCheck {
  order_id: string;
  /** Null: not readable as an amount. */
  amount_micro: string | null;
  currency: string;
}

export type Refusal =
  /** The signature is missing, wrong, or of another time. */
  | "forged"
  /** No body of this provider's. */
  | "unreadable"
  /** Not from an address of the provider. */
  | "address"
  /** The provider's API knows nothing of it. */
  | "unknown_payment"
  /** The API did not answer as documented: asked again later. */
  | "unanswered";

export type Reading =
  | { ok: false; refusal: Refusal; detail: string }
  /** `next` is still to be asked; `check` is to be answered. No notice: true, but no money moved. */
  | { ok: true; notices: readonly PaymentNotice[]; next: Question | null; check: PaymentCheck | null };

/** An order whose payment nobody has told of. */
export interface OpenOrder {
  id: string;
  /** Milliseconds. */
  created_at: number;
}

/** Whether an order may be paid as a `PaymentCheck` says. */
export type CheckVerdict = "payable" | "unknown_order" | "wrong_amount" | "already_paid";

export interface Acknowledgment {
  contentType: string;
  body: string;
}

/** One provider, with the settings of this deployment. */
export interface PaymentProvider {
  receive: (delivery: Delivery) => Reading;
  /** Finds the payments of orders; empty where the provider has no such call, or its key is not set. */
  search: (orders: readonly OpenOrder[]) => Question[];
  /** The body of the 200 that ends the provider's retries. */
  acknowledge: (verdict: CheckVerdict) => Acknowledgment;
}

/** A variable of the environment; null when it is not set. */
export type Setting = (name: string) => string | null;

export interface PaymentProviderKind {
  id: PaymentProviderId;
  /** What an order for it can be paid in. */
  currencies: readonly Currency[];
  /** The variables without which it is off. */
  needs: readonly string[];
  /** Null: not set up. */
  open: (setting: Setting, digests: Digests) => PaymentProvider | null;
}

export function refused(refusal: Refusal, detail: string): Reading {
  return { ok: false, refusal, detail };
}

/** What a body or an answer says, when nothing remains to be asked. */
export function said(...notices: readonly PaymentNotice[]): Reading {
  return { ok: true, notices, next: null, check: null };
}

export function ask(next: Question): Reading {
  return { ok: true, notices: [], next, check: null };
}

/** A notice with the fields that most have in common. */
export function notice(facts: Pick<PaymentNotice, "provider" | "kind" | "payment_id"> & Partial<PaymentNotice>): PaymentNotice {
  return { fact_id: facts.payment_id, order_id: null, amount_micro: null, currency: null, test: false, detail: null, ...facts };
}

/** An API's answer that says nothing about the payment: the sender or the poller comes again. */
export function unanswered(answer: ApiAnswer): Reading {
  return refused("unanswered", `the provider's API answered with status ${answer.status}`);
}

/** How every call of an API here is made: a GET, or a POST of JSON text. The base may end with a slash. */
export function apiCall(baseUrl: string, path: string, headers: Record<string, string>, json: string | null = null): ApiCall {
  const type = json === null ? {} : { "content-type": "application/json" };
  return {
    method: json === null ? "GET" : "POST",
    url: baseUrl.replace(/\/+$/, "") + path,
    headers: { accept: "application/json", ...type, ...headers },
    body: json,
  };
}

/** Several secrets in one variable, comma separated: while one is being replaced both count. */
export function secretsOf(value: string | null): string[] {
  return (value ?? "")
    .split(",")
    .map((secret) => secret.trim())
    .filter((secret) => secret !== "");
}

export const PLAIN_ACKNOWLEDGMENT: Acknowledgment = { contentType: "application/json", body: '{"received":true}' };
