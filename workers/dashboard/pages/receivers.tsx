/** Where events of the organisation are sent, and what became of each delivery. */
import { z } from "zod";
import { deliveriesOf, endpointsOf, findEndpoint, type LoggedDelivery } from "../../../db/webhooks.ts";
import { receiverForm, sessionForm } from "../../../schema/dashboard.ts";
import { WEBHOOK_EVENTS, type WebhookEndpoint } from "../../../schema/webhook.ts";
import { readForm, sent } from "../frame/form.ts";
import { integer } from "../frame/format.ts";
import { callAsOperator } from "../frame/gateway-call.ts";
import { render } from "../frame/layout.tsx";
import { Card, Code, Empty, Field, FormToken, Heading, Instant, Notice, Table } from "../frame/parts.tsx";
import { type OrganisationView, type Page, redirect } from "../frame/view.ts";
import { bilingual, common } from "../frame/words.ts";

const DELIVERIES_SHOWN = 20;

const words = bilingual({
  en: {
    title: "Receivers of events",
    why: "Events are signed by Standard Webhooks and sent until they are taken, for three days.",
    new: "New receiver",
    url: "Address",
    add: "Add",
    secret: "This is the secret its signatures are checked with. It is shown only now:",
    none: "No receivers yet",
    noneWhy: "Add an https address of yours to hear of payments, low balances and settled requests.",
    event: "Event",
    attempts: "Attempts",
    last: "Last answer",
    delete: "Delete",
    deleteSure: "Delete this receiver with its log?",
    noDeliveries: "Nothing was sent yet.",
    off: (why: string) => `off: ${why}`,
    states: { pending: "waits", delivered: "delivered", failed: "failed", stopped: "stopped" },
  },
  ru: {
    title: "Получатели событий",
    why: "События подписаны по Standard Webhooks и отправляются, пока их не примут, в течение трёх дней.",
    new: "Новый получатель",
    url: "Адрес",
    add: "Добавить",
    secret: "Этим секретом проверяются подписи. Он показан только сейчас:",
    none: "Получателей пока нет",
    noneWhy: "Добавьте свой https-адрес, чтобы узнавать об оплатах, низком балансе и рассчитанных запросах.",
    event: "Событие",
    attempts: "Попытки",
    last: "Последний ответ",
    delete: "Удалить",
    deleteSure: "Удалить получателя вместе с журналом?",
    noDeliveries: "Пока ничего не отправлялось.",
    off: (why: string) => `выключен: ${why}`,
    states: { pending: "ждёт", delivered: "доставлено", failed: "не доставлено", stopped: "остановлено" },
  },
});

function DeliveryLine({ view, delivery }: { view: OrganisationView; delivery: LoggedDelivery }) {
  const text = words(view.locale);
  const last = delivery.log.at(-1);
  const kind = { pending: "live", delivered: "good", failed: "bad", stopped: "warn" }[delivery.state];
  return (
    <tr>
      <td>{delivery.type}</td>
      <td>
        <Instant view={view} at={delivery.created_at} />
      </td>
      <td>
        <span class={`badge ${kind}`}>{text.states[delivery.state]}</span>
      </td>
      <td class="number">{integer(delivery.attempts, view.locale)}</td>
      <td class="breaks">{last === undefined ? "–" : (last.status ?? last.error ?? "–")}</td>
    </tr>
  );
}

async function Receiver({ view, endpoint }: { view: OrganisationView; endpoint: WebhookEndpoint }) {
  const text = words(view.locale);
  const shared = common(view.locale);
  const deliveries = await deliveriesOf(view.env.DB, endpoint.id, { beforeId: Number.MAX_SAFE_INTEGER, limit: DELIVERIES_SHOWN });
  return (
    <Card>
      <div class="between">
        <h2 class="breaks">{endpoint.url}</h2>
        {endpoint.disabled_reason === null ? null : <span class="badge bad">{text.off(endpoint.disabled_reason)}</span>}
        {view.may("balance.change") ? (
          <form method="post" action={view.href("/balance/receivers/delete")} data-confirm={text.deleteSure}>
            <FormToken view={view} />
            <input type="hidden" name="id" value={endpoint.id} />
            <button class="small danger" type="submit">
              {text.delete}
            </button>
          </form>
        ) : null}
      </div>
      {deliveries.length === 0 ? (
        <p class="muted">{text.noDeliveries}</p>
      ) : (
        <Table caption={endpoint.url} head={[text.event, shared.time, shared.state, text.attempts, text.last]}>
          {deliveries.map((delivery) => (
            <DeliveryLine view={view} delivery={delivery} />
          ))}
        </Table>
      )}
    </Card>
  );
}

async function receiversPage(view: OrganisationView, told: { bad?: string; secret?: string } = {}): Promise<Response> {
  const text = words(view.locale);
  const endpoints = await endpointsOf(view.env.DB, view.organisation.account_id);
  return render(
    view,
    { title: text.title, status: told.bad === undefined ? 200 : 422 },
    <>
      <Heading title={text.title}>
        <a class="button small" href={view.href("/balance")}>
          {common(view.locale).back}
        </a>
      </Heading>
      <p class="muted">{text.why}</p>
      {told.bad === undefined ? null : <Notice kind="bad">{told.bad}</Notice>}
      {told.secret === undefined ? null : (
        <Notice kind="good">
          <p>{text.secret}</p>
          <Code view={view} text={told.secret} label={text.title} />
        </Notice>
      )}
      {endpoints.length === 0 ? (
        <Card>
          <Empty title={text.none}>
            <p>{text.noneWhy}</p>
          </Empty>
        </Card>
      ) : null}
      {endpoints.map((endpoint) => (
        <Receiver view={view} endpoint={endpoint} />
      ))}
      {view.may("balance.change") ? (
        <Card title={text.new}>
          <form class="form inline" method="post" action={view.href("/balance/receivers")}>
            <FormToken view={view} />
            <Field label={text.url} name="url" value={sent(view, "url")} required placeholder="https://" />
            <button type="submit">{text.add}</button>
          </form>
        </Card>
      ) : null}
    </>,
  );
}

async function addReceiver(view: OrganisationView): Promise<Response> {
  const form = readForm(view, receiverForm);
  if (!form.ok) return receiversPage(view, { bad: common(view.locale).invalid(words(view.locale).url, form.why) });
  const path = `/admin/accounts/${view.organisation.account_id}/webhooks`;
  const body = { url: form.value.url, events: WEBHOOK_EVENTS };
  const made = await callAsOperator(view, path, z.object({ secret: z.string() }), { body });
  return made.ok ? receiversPage({ ...view, form: null }, { secret: made.value.secret }) : receiversPage(view, { bad: made.error.message });
}

async function deleteReceiver(view: OrganisationView): Promise<Response> {
  const form = readForm(view, sessionForm);
  const endpoint = form.ok ? await findEndpoint(view.env.DB, form.value.id) : null;
  if (endpoint === null || endpoint.account_id !== view.organisation.account_id)
    return receiversPage(view, { bad: common(view.locale).notFound });
  await callAsOperator(view, `/admin/webhooks/${endpoint.id}`, z.unknown(), { method: "DELETE" });
  return redirect(view.href("/balance/receivers"));
}

export const receiversPages: Page = {
  routes: [
    { for: "organisation", method: "GET", path: "/balance/receivers", may: "balance.view", answer: (view) => receiversPage(view) },
    { for: "organisation", method: "POST", path: "/balance/receivers", may: "balance.change", answer: addReceiver },
    { for: "organisation", method: "POST", path: "/balance/receivers/delete", may: "balance.change", answer: deleteReceiver },
  ],
};
