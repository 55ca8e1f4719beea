/** The organisation's money: what is left, every entry of its ledger with its chain checked, orders, and where events of it are sent. */
import { findAccount } from "../../../db/accounts.ts";
import { type ListedOrder, ordersOf } from "../../../db/orders.ts";
import { lowBalanceForm, orderForm, payForm } from "../../../schema/dashboard.ts";
import type { Entry } from "../../../schema/ledger.ts";
import { toJsonNumber } from "../../../schema/money.ts";
import { orderViewSchema, PAYMENT_PROVIDERS, type PaymentProviderId } from "../../../schema/payment.ts";
import type { ChainVerdict } from "../../../schema/rpc.ts";
import { z } from "zod";
import { PAYMENT_PROVIDER_KINDS } from "../../payment/index.ts";
import { readForm, sent } from "../frame/form.ts";
import { decimalOf, exactRoubles, integer, roubles } from "../frame/format.ts";
import { callAsAccount, callAsOperator } from "../frame/gateway-call.ts";
import { render } from "../frame/layout.tsx";
import { Live } from "../frame/live.tsx";
import { Card, Empty, Field, Figure, FormToken, Heading, Instant, Notice, Select, Table } from "../frame/parts.tsx";
import { type OrganisationView, type Page, redirect } from "../frame/view.ts";
import { bilingual, common } from "../frame/words.ts";
import { hasTestPayments, payTestOrder } from "../people/test-payment.ts";

const ENTRIES_SHOWN = 50;
const ORDERS_SHOWN = 20;

const words = bilingual({
  en: {
    title: "Balance",
    balance: "Balance",
    held: "Held",
    available: "Available",
    heldWhy: "for requests under way",
    blocked: "The balance is below zero. Requests are refused until it is paid.",
    frozen: "The account is frozen until an operator has looked at it.",
    topUp: "Top up",
    amount: "Amount, ₽",
    through: "Through",
    order: "Make an order",
    noProvider: "No payment provider is set up. Whoever runs the installation can credit the balance, or set one up (see the README).",
    orders: "Orders",
    noOrders: "No orders yet.",
    pay: "Pay by the test provider",
    toPay: "To the payment page",
    states: { pending: "waits for payment", claimed: "being credited", paid: "paid" },
    made: "The order is there. The balance rises when the provider says it was paid.",
    paid: "The test provider said it was paid.",
    notPaid: "The order could not be paid: it is not there, or is paid already.",
    entries: "Ledger",
    entriesWhy: "Every change of the balance, each linked to the one before it by its hash. Nothing is ever changed or removed.",
    chainOk: (count: string) => `Chain checked: ${count} entries hold.`,
    chainBroken: (seq: string) => `The chain is broken at entry ${seq}. Tell whoever runs the installation.`,
    verify: "Check the whole chain",
    noEntries: "No entries yet. The first is the first credit.",
    number: "No.",
    kind: "Kind",
    after: "Balance after",
    hash: "Hash",
    older: "Older entries",
    kinds: {
      credit: "credit",
      settle: "request",
      late_settle: "request, late",
      release: "released",
      expire: "expired",
      refund: "refund",
      chargeback: "chargeback",
      adjust: "adjustment",
      true_up: "true-up",
    },
    low: "Low-balance alert",
    lowWhy: "Below this the event balance.low is sent to the receivers below. Empty: never.",
    receivers: "Receivers of events",
    wrong: (field: string) => `Check the field “${field}”.`,
  },
  ru: {
    title: "Баланс",
    balance: "Баланс",
    held: "Удержано",
    available: "Доступно",
    heldWhy: "под текущие запросы",
    blocked: "Баланс ниже нуля. Запросы не принимаются, пока он не погашен.",
    frozen: "Счёт заморожен, пока его не проверит оператор.",
    topUp: "Пополнить",
    amount: "Сумма, ₽",
    through: "Через",
    order: "Создать счёт",
    noProvider:
      "Платёжный провайдер не настроен. Пополнить баланс или настроить провайдера может тот, кто обслуживает установку (см. README).",
    orders: "Счета",
    noOrders: "Счетов пока нет.",
    pay: "Оплатить через тестового провайдера",
    toPay: "На страницу оплаты",
    states: { pending: "ждёт оплаты", claimed: "зачисляется", paid: "оплачен" },
    made: "Счёт создан. Баланс вырастет, когда провайдер сообщит об оплате.",
    paid: "Тестовый провайдер сообщил об оплате.",
    notPaid: "Оплатить не вышло: счёта нет или он уже оплачен.",
    entries: "Журнал",
    entriesWhy: "Каждое изменение баланса, связанное хешем с предыдущим. Ничего не меняется и не удаляется.",
    chainOk: (count: string) => `Цепочка проверена: записей сошлось ${count}.`,
    chainBroken: (seq: string) => `Цепочка нарушена на записи ${seq}. Сообщите тому, кто обслуживает установку.`,
    verify: "Проверить всю цепочку",
    noEntries: "Записей пока нет. Первой будет первое пополнение.",
    number: "№",
    kind: "Вид",
    after: "Баланс после",
    hash: "Хеш",
    older: "Старые записи",
    kinds: {
      credit: "пополнение",
      settle: "запрос",
      late_settle: "запрос, поздно",
      release: "возврат удержания",
      expire: "истекло",
      refund: "возврат",
      chargeback: "оспорено",
      adjust: "поправка",
      true_up: "уточнение",
    },
    low: "Порог предупреждения",
    lowWhy: "Ниже него получателям ниже отправляется событие balance.low. Пусто: никогда.",
    receivers: "Получатели событий",
    wrong: (field: string) => `Проверьте поле «${field}».`,
  },
});

interface Told {
  bad?: string;
  good?: string;
}

/** Payment providers whose settings are whole. */
function providersSetUp(env: Env): PaymentProviderId[] {
  const isSet = (name: string): boolean => Boolean(Reflect.get(env, name));
  return PAYMENT_PROVIDERS.filter((id) => PAYMENT_PROVIDER_KINDS[id].needs.every(isSet));
}

function kindText(view: OrganisationView, kind: string): string {
  const { kinds } = words(view.locale);
  const known: Readonly<Record<string, string>> = kinds;
  return known[kind] ?? kind;
}

function ChainLine({ view, chain }: { view: OrganisationView; chain: ChainVerdict }) {
  const text = words(view.locale);
  return chain.ok ? (
    <p class="badge good">{text.chainOk(integer(chain.checked, view.locale))}</p>
  ) : (
    <Notice kind="bad">{text.chainBroken(integer(chain.seq, view.locale))}</Notice>
  );
}

function Entries({ view, entries, chain }: { view: OrganisationView; entries: readonly Entry[]; chain: ChainVerdict }) {
  const text = words(view.locale);
  const shared = common(view.locale);
  const lowest = entries.at(-1)?.seq ?? 0;
  return (
    <Card title={text.entries} wide>
      <p class="muted">{text.entriesWhy}</p>
      {entries.length === 0 ? <Empty title={text.noEntries} /> : <ChainLine view={view} chain={chain} />}
      {entries.length === 0 ? null : (
        <Table caption={text.entries} head={[text.number, shared.time, text.kind, `#${shared.cost}`, `#${text.after}`, text.hash]}>
          {entries.map((entry) => (
            <tr>
              <td>{entry.seq}</td>
              <td>
                <Instant view={view} at={entry.at} />
              </td>
              <td>
                {entry.request_id === null || !view.may("requests.view") ? (
                  kindText(view, entry.kind)
                ) : (
                  <a href={view.href(`/requests/${entry.request_id}`)}>{kindText(view, entry.kind)}</a>
                )}
              </td>
              <td class="number">{exactRoubles(entry.amount_micro_rub, view.locale)}</td>
              <td class="number">{exactRoubles(entry.balance_after_micro_rub, view.locale)}</td>
              <td class="mono">{entry.hash.slice(0, 10)}</td>
            </tr>
          ))}
        </Table>
      )}
      <div class="between">
        {lowest > 1 ? <a href={view.href(`/balance?before=${lowest}`)}>{text.older}</a> : <span></span>}
        <a class="button small" href={view.href("/balance?verify")}>
          {text.verify}
        </a>
      </div>
    </Card>
  );
}

function OrderLine({ view, order }: { view: OrganisationView; order: ListedOrder }) {
  const text = words(view.locale);
  const page = view.env["PAYMENTS_PAGE_URL"];
  const amount = decimalOf(order.amount_micro).slice(0, -4);
  const link = page?.replaceAll(/\{(order|amount|currency|provider)\}/g, (_, name: string) =>
    encodeURIComponent({ order: order.id, amount, currency: order.currency, provider: order.provider }[name] ?? ""),
  );
  const isOpen = order.state === "pending" && view.may("balance.change");
  return (
    <tr>
      <td class="mono breaks">{order.id}</td>
      <td>
        <Instant view={view} at={order.created_at} />
      </td>
      <td>{order.provider}</td>
      <td class="number">{roubles(order.credit_micro_rub, view.locale)}</td>
      <td>
        <span class={`badge ${order.state === "paid" ? "good" : "warn"}`}>{text.states[order.state]}</span>
      </td>
      <td class="number">
        {isOpen && hasTestPayments(view.env) && order.provider === "standard" ? (
          <form method="post" action={view.href("/balance/test-payment")}>
            <FormToken view={view} />
            <input type="hidden" name="order" value={order.id} />
            <button class="small" type="submit">
              {text.pay}
            </button>
          </form>
        ) : null}
        {isOpen && link !== undefined && link !== "" ? <a href={link}>{text.toPay}</a> : null}
      </td>
    </tr>
  );
}

function TopUp({ view }: { view: OrganisationView }) {
  const text = words(view.locale);
  const providers = providersSetUp(view.env);
  if (!view.may("balance.change")) return null;
  return (
    <Card title={text.topUp}>
      {providers.length === 0 ? (
        <p class="muted">{text.noProvider}</p>
      ) : (
        <form class="form inline" method="post" action={view.href("/balance/orders")}>
          <FormToken view={view} />
          <Field label={text.amount} name="amount" value={sent(view, "amount")} inputmode="decimal" required placeholder="1000" />
          <Select label={text.through} name="provider" options={providers.map((id) => ({ value: id, label: id }))} />
          <button class="primary" type="submit">
            {text.order}
          </button>
        </form>
      )}
    </Card>
  );
}

function LowBalance({ view, threshold }: { view: OrganisationView; threshold: number | null }) {
  const text = words(view.locale);
  const value = threshold === null ? "" : decimalOf(BigInt(threshold)).replace(/\.?0+$/, "");
  return (
    <Card title={text.low}>
      <form class="form" method="post" action={view.href("/balance/low")}>
        <FormToken view={view} />
        <Field label={text.amount} name="threshold" value={value} inputmode="decimal" hint={text.lowWhy} />
        <div class="row">
          <button type="submit">{common(view.locale).save}</button>
          <a class="button" href={view.href("/balance/receivers")}>
            {text.receivers}
          </a>
        </div>
      </form>
    </Card>
  );
}

async function balancePage(view: OrganisationView, told: Told = {}): Promise<Response> {
  const text = words(view.locale);
  const shared = common(view.locale);
  const { account, env, locale, organisation } = view;
  const facts = await account.facts();
  const before = Number(view.url.searchParams.get("before") ?? 0);
  const top = Number.isSafeInteger(before) && before > 1 ? before - 1 : facts.seq;
  const from = Math.max(0, top - ENTRIES_SHOWN);
  const [page, whole, orders, row] = await Promise.all([
    account.page(from, top - from),
    view.url.searchParams.has("verify") ? account.verifyChain() : null,
    ordersOf(env.DB, organisation.account_id, ORDERS_SHOWN),
    findAccount(env.DB, organisation.account_id),
  ]);
  const [balance, held] = [BigInt(facts.balance_micro_rub), BigInt(facts.held_micro_rub)];
  return render(
    view,
    { title: text.title, status: told.bad === undefined ? 200 : 422, islands: ["live.js"] },
    <>
      <Heading title={text.title}>
        <Live view={view} />
      </Heading>
      {told.bad === undefined ? null : <Notice kind="bad">{told.bad}</Notice>}
      {told.good === undefined ? null : <Notice kind="good">{told.good}</Notice>}
      {facts.blocked ? <Notice kind="bad">{text.blocked}</Notice> : null}
      {facts.frozen === null ? null : <Notice kind="bad">{text.frozen}</Notice>}
      <dl class="figures">
        <Figure label={text.available} value={roubles(balance - held, locale)} live="available" />
        <Figure label={text.balance} value={exactRoubles(balance, locale)} live="balance" />
        <Figure label={text.held} value={exactRoubles(held, locale)} note={text.heldWhy} live="held" />
      </dl>
      <div class="cards">
        <TopUp view={view} />
        {view.may("balance.change") ? <LowBalance view={view} threshold={row?.low_balance_micro_rub ?? null} /> : null}
        <Card title={text.orders} wide>
          {orders.length === 0 ? (
            <p class="muted">{text.noOrders}</p>
          ) : (
            <Table caption={text.orders} head={["", shared.time, text.through, `#${text.amount}`, shared.state, ""]}>
              {orders.map((order) => (
                <OrderLine view={view} order={order} />
              ))}
            </Table>
          )}
        </Card>
        {whole === null ? null : <ChainLine view={view} chain={whole} />}
        <Entries view={view} entries={page.entries.toReversed()} chain={page.chain} />
      </div>
    </>,
  );
}

async function makeOrder(view: OrganisationView): Promise<Response> {
  const text = words(view.locale);
  const form = readForm(view, orderForm);
  if (!form.ok || form.value.amount === null) return balancePage(view, { bad: text.wrong(text.amount) });
  const { amount, provider } = form.value;
  if (!providersSetUp(view.env).includes(provider)) return balancePage(view, { bad: text.wrong(text.through) });
  const body = { provider, amount_micro_rub: toJsonNumber(amount) };
  const made = await callAsAccount(view, "/v1/orders", orderViewSchema, { body });
  return made.ok ? redirect(view.href("/balance?done=order")) : balancePage(view, { bad: made.error.message });
}

async function payTest(view: OrganisationView): Promise<Response> {
  const text = words(view.locale);
  const form = readForm(view, payForm);
  const orders = form.ok ? await ordersOf(view.env.DB, view.organisation.account_id, ORDERS_SHOWN) : [];
  const order = orders.find((each) => form.ok && each.id === form.value.order && each.state === "pending");
  const isPaid = order !== undefined && (await payTestOrder(view, order));
  return isPaid ? redirect(view.href("/balance?done=paid")) : balancePage(view, { bad: text.notPaid });
}

async function setLowBalance(view: OrganisationView): Promise<Response> {
  const text = words(view.locale);
  const form = readForm(view, lowBalanceForm);
  if (!form.ok) return balancePage(view, { bad: text.wrong(text.low) });
  const { threshold } = form.value;
  const body = { low_balance_micro_rub: threshold === null || threshold === 0n ? null : toJsonNumber(threshold) };
  const changed = await callAsOperator(view, `/admin/accounts/${view.organisation.account_id}`, z.unknown(), { method: "PATCH", body });
  return changed.ok ? redirect(view.href("/balance")) : balancePage(view, { bad: changed.error.message });
}

function showBalance(view: OrganisationView): Promise<Response> {
  const text = words(view.locale);
  const done = view.url.searchParams.get("done");
  return balancePage(view, done === "order" ? { good: text.made } : done === "paid" ? { good: text.paid } : {});
}

export const balancePages: Page = {
  navigation: { path: "/balance", icon: "balance", label: { en: "Balance", ru: "Баланс" }, may: "balance.view" },
  routes: [
    { for: "organisation", method: "GET", path: "/balance", may: "balance.view", answer: showBalance },
    { for: "organisation", method: "POST", path: "/balance/orders", may: "balance.change", answer: makeOrder },
    { for: "organisation", method: "POST", path: "/balance/test-payment", may: "balance.change", answer: payTest },
    { for: "organisation", method: "POST", path: "/balance/low", may: "balance.change", answer: setLowBalance },
  ],
};
