/** `GET /status`, for anybody: whether the gateway's parts answer now, and how the requests of the last days went. Counts are not shown, shares are. */
import { countWaiting } from "../../../db/dead-letters.ts";
import { type ProviderDay, providerDays } from "../../../db/provider-days.ts";
import { usageShards } from "../../../db/usage-shards.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { dayAgo, daysBetween } from "../frame/charts.tsx";
import { day as dayText, percent } from "../frame/format.ts";
import { render } from "../frame/layout.tsx";
import { Card, Empty, Heading, Instant, Notice, Table } from "../frame/parts.tsx";
import type { Page, View } from "../frame/view.ts";
import { bilingual, common } from "../frame/words.ts";

const DAYS = 14;
const ROWS_MAX = 2_000;
/** Shares of requests that ended with an answer: from here on a day counts as well, and as shaky. */
const WELL = 0.99;
const SHAKY = 0.9;

const words = bilingual({
  en: {
    title: "Status",
    well: "Everything works",
    notWell: "Something is not well",
    parts: "Parts",
    part: "Part",
    gateway: "Gateway",
    database: "Database",
    delivery: "Delivery of usage",
    works: "works",
    fails: "does not answer",
    parked: "messages are parked; balances are right, reports may lack rows",
    providers: (days: string) => `Providers over ${days} days`,
    providersWhy:
      "The share of requests that ended with an answer. Cancelled and refused ones count as not answered, whoever was the cause.",
    share: "Answered",
    days: "By day",
    noRequests: "no requests",
    none: "No requests yet",
    noneWhy: "The first requests show up here by provider and day.",
    asOf: "As of",
  },
  ru: {
    title: "Состояние",
    well: "Всё работает",
    notWell: "Что-то не в порядке",
    parts: "Части",
    part: "Часть",
    gateway: "Шлюз",
    database: "База данных",
    delivery: "Доставка данных о расходе",
    works: "работает",
    fails: "не отвечает",
    parked: "есть отложенные сообщения; балансы верны, в отчётах может не хватать строк",
    providers: (days: string) => `Провайдеры за ${days} дней`,
    providersWhy: "Доля запросов, закончившихся ответом. Отменённые и отклонённые считаются неотвеченными, чья бы ни была причина.",
    share: "Отвечено",
    days: "По дням",
    noRequests: "запросов не было",
    none: "Запросов ещё не было",
    noneWhy: "Первые запросы появятся здесь по провайдерам и дням.",
    asOf: "На",
  },
});

interface Facts {
  at: number;
  database: boolean;
  /** Null: the database did not say. */
  waiting: number | null;
  days: ProviderDay[];
}

let cached: Facts | null = null;

/** Read at most once in a while in an isolate, however many ask. */
async function factsNow(env: Env): Promise<Facts> {
  if (cached !== null && Date.now() - cached.at < LIMITS.metricsCacheMilliseconds) return cached;
  const at = Date.now();
  try {
    const databases = (await usageShards(env)).all;
    const [waiting, days] = await Promise.all([countWaiting(env.DB), providerDays(databases, dayAgo(DAYS - 1), ROWS_MAX)]);
    cached = { at, database: true, waiting, days };
  } catch (error) {
    console.error("the status page had no answer from the database", error);
    cached = { at, database: false, waiting: null, days: [] };
  }
  return cached;
}

interface Counts {
  requests: number;
  failed: number;
}

function shareOf({ requests, failed }: Counts): number | null {
  return requests === 0 ? null : (requests - failed) / requests;
}

function sum(rows: readonly Counts[]): Counts {
  return rows.reduce((total, row) => ({ requests: total.requests + row.requests, failed: total.failed + row.failed }), {
    requests: 0,
    failed: 0,
  });
}

function kindOf(share: number | null): string {
  if (share === null) return "none";
  return share >= WELL ? "good" : share >= SHAKY ? "warn" : "bad";
}

function Provider({ view, name, rows }: { view: View; name: string; rows: readonly ProviderDay[] }) {
  const text = words(view.locale);
  const share = shareOf(sum(rows));
  return (
    <tr>
      <th scope="row">{name}</th>
      <td class="number">{share === null ? "–" : percent(share, view.locale)}</td>
      <td>
        <ul class="day-marks">
          {daysBetween(dayAgo(DAYS - 1), dayAgo(0)).map((each) => {
            const of = shareOf(sum(rows.filter(({ day }) => day === each)));
            const said = `${dayText(each, view.locale)}: ${of === null ? text.noRequests : percent(of, view.locale)}`;
            return (
              <li class={`day-mark ${kindOf(of)}`} title={said}>
                <span class="visually-hidden">{said}</span>
              </li>
            );
          })}
        </ul>
      </td>
    </tr>
  );
}

function Providers({ view, facts }: { view: View; facts: Facts }) {
  const text = words(view.locale);
  const names = [...new Set(facts.days.map(({ provider }) => provider))].toSorted();
  const title = text.providers(String(DAYS));
  return (
    <Card title={title}>
      <p class="muted">{text.providersWhy}</p>
      {names.length === 0 ? (
        <Empty title={text.none}>
          <p>{text.noneWhy}</p>
        </Empty>
      ) : (
        <Table caption={title} head={[common(view.locale).provider, text.share, text.days]}>
          {names.map((name) => (
            <Provider view={view} name={name} rows={facts.days.filter(({ provider }) => provider === name)} />
          ))}
        </Table>
      )}
    </Card>
  );
}

async function statusPage(view: View): Promise<Response> {
  const text = words(view.locale);
  const facts = await factsNow(view.env);
  const isWell = facts.database && facts.waiting === 0;
  const parts = [
    { name: text.gateway, isWell: true, said: text.works },
    { name: text.database, isWell: facts.database, said: facts.database ? text.works : text.fails },
    { name: text.delivery, isWell: facts.waiting === 0, said: facts.waiting === 0 ? text.works : text.parked },
  ];
  return render(
    view,
    { title: text.title, isOpen: true },
    <>
      <Heading title={text.title}>
        <span class="hint">
          {text.asOf} <Instant view={view} at={facts.at} />
        </span>
      </Heading>
      <Notice kind={isWell ? "good" : "bad"}>{isWell ? text.well : text.notWell}</Notice>
      <Card title={text.parts}>
        <Table caption={text.parts} head={[text.part, common(view.locale).state]}>
          {parts.map((part) => (
            <tr>
              <th scope="row">{part.name}</th>
              <td>
                <span class={`badge ${part.isWell ? "good" : "bad"}`}>{part.said}</span>
              </td>
            </tr>
          ))}
        </Table>
      </Card>
      <Providers view={view} facts={facts} />
    </>,
  );
}

export const statusPages: Page = { routes: [{ for: "anybody", method: "GET", path: "/status", answer: statusPage }] };
