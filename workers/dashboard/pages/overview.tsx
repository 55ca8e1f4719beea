/** The first page of an organisation: what is left, what was used and how it went, and how to begin. Answers from rollups and one page of requests. */
import { z } from "zod";
import { type GroupRow, usageGroups, type UsageFilter } from "../../../db/usage.ts";
import { type UsageRow, usageRows, usageStore } from "../../../db/usage-rows.ts";
import { usageShards } from "../../../db/usage-shards.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { dayAgo, DayChart, daysBetween } from "../frame/charts.tsx";
import { compact, decimal, duration, exactRoubles, integer, percent, roubles } from "../frame/format.ts";
import { callAsAccount } from "../frame/gateway-call.ts";
import { render } from "../frame/layout.tsx";
import { Live } from "../frame/live.tsx";
import { Card, Code, Figure, Heading } from "../frame/parts.tsx";
import { snippetsOf } from "../frame/snippets.ts";
import type { OrganisationView, Page } from "../frame/view.ts";
import { bilingual, common } from "../frame/words.ts";

const DAYS = 30;
const TOP_MODELS = 5;

const words = bilingual({
  en: {
    title: "Overview",
    available: "Available",
    held: (amount: string) => `${amount} held for requests under way`,
    nothingHeld: "nothing is held",
    spend30: "Spent in 30 days",
    requests30: "Requests in 30 days",
    errorRate: "Errors",
    ttft: "First token",
    speed: "Tokens per second",
    tail: (value: string) => `95% within ${value}`,
    ofNewest: (count: string) => `of the newest ${count} requests`,
    spendByDay: "Spend by day",
    tokensByDay: "Tokens by day",
    input: "Input",
    output: "Output",
    top: "Top models in 30 days",
    noTop: "No model was used yet.",
    used: (requests: string, tokens: string) => `requests: ${requests}, tokens: ${tokens}`,
    steps: "First steps",
    stepsWhy: "Point any client at this address with a key of yours. The first answer shows up here within seconds.",
    makeKey: "Create a key",
    askKey: "Ask an owner, an admin or a member of the organisation for a key.",
    low: "The balance is used up. Requests are refused until it is topped up.",
    topUp: "Top up",
  },
  ru: {
    title: "Обзор",
    available: "Доступно",
    held: (amount: string) => `${amount} удержано под текущие запросы`,
    nothingHeld: "ничего не удержано",
    spend30: "Расход за 30 дней",
    requests30: "Запросов за 30 дней",
    errorRate: "Ошибки",
    ttft: "Первый токен",
    speed: "Токенов в секунду",
    tail: (value: string) => `95% до ${value}`,
    ofNewest: (count: string) => `по последним запросам: ${count}`,
    spendByDay: "Расход по дням",
    tokensByDay: "Токены по дням",
    input: "Вход",
    output: "Выход",
    top: "Главные модели за 30 дней",
    noTop: "Модели пока не использовались.",
    used: (requests: string, tokens: string) => `запросов: ${requests}, токенов: ${tokens}`,
    steps: "Первые шаги",
    stepsWhy: "Направьте любой клиент на этот адрес со своим ключом. Первый ответ появится здесь через секунды.",
    makeKey: "Создать ключ",
    askKey: "Попросите ключ у владельца, администратора или участника организации.",
    low: "Баланс исчерпан. Запросы не принимаются, пока он не пополнен.",
    topUp: "Пополнить",
  },
});

const modelsSchema = z.object({ data: z.array(z.looseObject({ id: z.string() })) });

/** The value that a share of the sorted values does not exceed; null without values. */
export function percentile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? null;
}

interface Facts {
  available: bigint;
  held: bigint;
  byDay: GroupRow[];
  byModel: GroupRow[];
  newest: UsageRow[];
  model: string | null;
}

async function factsOf(view: OrganisationView): Promise<Facts> {
  const { env, organisation } = view;
  const accountId = organisation.account_id;
  const databases = (await usageShards(env)).of(accountId);
  const filter: UsageFilter = { accountId, fromDay: dayAgo(DAYS - 1), toDay: dayAgo(0) };
  const [balance, byDay, byModel, newest, models] = await Promise.all([
    view.account.balance(),
    usageGroups(databases, filter, { by: "day", afterName: "", limit: DAYS }),
    usageGroups(databases, filter, { by: "model", afterName: "", limit: LIMITS.pageRowsMax }),
    usageRows(usageStore(databases, env.ARCHIVE), filter, { beforeSeq: Number.MAX_SAFE_INTEGER, limit: LIMITS.overviewRequests }),
    callAsAccount(view, "/v1/models", modelsSchema),
  ]);
  const top = byModel.toSorted((left, right) => right.charged_micro_rub - left.charged_micro_rub);
  const model = top[0]?.name ?? (models.ok ? models.value.data[0]?.id : null) ?? null;
  return { available: BigInt(balance.available_micro_rub), held: BigInt(balance.held_micro_rub), byDay, byModel: top, newest, model };
}

function sumOf(rows: readonly GroupRow[], column: "charged_micro_rub" | "requests" | "failed"): number {
  return rows.reduce((sum, row) => sum + row[column], 0);
}

function Figures({ view, facts }: { view: OrganisationView; facts: Facts }) {
  const text = words(view.locale);
  const { locale } = view;
  const requests = sumOf(facts.byDay, "requests");
  const first = facts.newest.flatMap((row) => row.ttft_ms ?? []);
  const speeds = facts.newest.flatMap((row) => {
    const seconds = row.ttft_ms === null ? 0 : (row.duration_ms - row.ttft_ms) / 1_000;
    return row.output_tokens === null || seconds <= 0 ? [] : [row.output_tokens / seconds];
  });
  const [half, tail, speed] = [percentile(first, 0.5), percentile(first, 0.95), percentile(speeds, 0.5)];
  const newest = text.ofNewest(integer(facts.newest.length, locale));
  return (
    <dl class="figures">
      {view.may("balance.view") ? (
        <Figure
          label={text.available}
          value={roubles(facts.available, locale)}
          live="available"
          note={facts.held === 0n ? text.nothingHeld : text.held(exactRoubles(facts.held, locale))}
        />
      ) : null}
      <Figure label={text.spend30} value={exactRoubles(sumOf(facts.byDay, "charged_micro_rub"), locale)} />
      <Figure label={text.requests30} value={integer(requests, locale)} />
      <Figure label={text.errorRate} value={requests === 0 ? "–" : percent(sumOf(facts.byDay, "failed") / requests, locale)} />
      <Figure
        label={text.ttft}
        value={half === null ? "–" : duration(half, locale)}
        note={tail === null ? undefined : `${text.tail(duration(tail, locale))}, ${newest}`}
      />
      <Figure label={text.speed} value={speed === null ? "–" : decimal(speed, locale)} note={speed === null ? undefined : newest} />
    </dl>
  );
}

function Charts({ view, facts }: { view: OrganisationView; facts: Facts }) {
  const text = words(view.locale);
  const shared = common(view.locale);
  const days = daysBetween(dayAgo(DAYS - 1), dayAgo(0));
  const rowOf = new Map(facts.byDay.map((row) => [row.name, row]));
  const values = (column: "charged_micro_rub" | "output_tokens"): number[] => days.map((day) => rowOf.get(day)?.[column] ?? 0);
  const input = days.map((day) => {
    const row = rowOf.get(day);
    return row === undefined ? 0 : row.input_tokens + row.cache_read_tokens + row.cache_write_tokens;
  });
  return (
    <>
      <Card title={text.spendByDay}>
        <DayChart
          view={view}
          id="spend-data"
          label={text.spendByDay}
          days={days}
          series={[{ label: shared.spend, kind: "money", values: values("charged_micro_rub") }]}
        />
      </Card>
      <Card title={text.tokensByDay}>
        <DayChart
          view={view}
          id="tokens-data"
          label={text.tokensByDay}
          days={days}
          series={[
            { label: text.input, kind: "count", values: input },
            { label: text.output, kind: "count", values: values("output_tokens") },
          ]}
        />
      </Card>
    </>
  );
}

function TopModels({ view, facts }: { view: OrganisationView; facts: Facts }) {
  const text = words(view.locale);
  const most = Math.max(1, facts.byModel[0]?.charged_micro_rub ?? 0);
  return (
    <Card title={text.top}>
      {facts.byModel.length === 0 ? <p class="muted">{text.noTop}</p> : null}
      <ul class="bars">
        {facts.byModel.slice(0, TOP_MODELS).map((row) => (
          <li class="bar">
            <span class="cut">{row.name}</span>
            <span>{exactRoubles(row.charged_micro_rub, view.locale)}</span>
            <progress max={most} value={row.charged_micro_rub} aria-label={row.name}></progress>
            <span class="hint">
              {text.used(integer(row.requests, view.locale), compact(row.output_tokens + row.input_tokens, view.locale))}
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function FirstSteps({ view, facts }: { view: OrganisationView; facts: Facts }) {
  const text = words(view.locale);
  const snippets = snippetsOf({ origin: view.url.origin, key: null, model: facts.model });
  return (
    <Card title={text.steps}>
      <p>{text.stepsWhy}</p>
      <div class="tabs">
        {snippets.map(({ id, label, text: code }, index) => (
          <>
            <input type="radio" name="snippet" id={`snippet-${id}`} checked={index === 0} />
            <label for={`snippet-${id}`}>{label}</label>
            <div class="panel">
              <Code view={view} text={code} label={label} />
            </div>
          </>
        ))}
      </div>
      {view.may("keys.change") ? (
        <p>
          <a class="button primary" href={view.href("/keys")}>
            {text.makeKey}
          </a>
        </p>
      ) : (
        <p class="muted">{text.askKey}</p>
      )}
    </Card>
  );
}

async function overview(view: OrganisationView): Promise<Response> {
  const text = words(view.locale);
  const facts = await factsOf(view);
  return render(
    view,
    { title: text.title, islands: ["chart.js", "live.js"] },
    <>
      <Heading title={text.title}>
        <Live view={view} />
      </Heading>
      {facts.available <= 0n ? (
        <div class="notice bad between" role="status">
          <span>{text.low}</span>
          {view.may("balance.change") ? (
            <a class="button small" href={view.href("/balance")}>
              {text.topUp}
            </a>
          ) : null}
        </div>
      ) : null}
      <Figures view={view} facts={facts} />
      <div class="cards">
        <Charts view={view} facts={facts} />
        <TopModels view={view} facts={facts} />
        <FirstSteps view={view} facts={facts} />
      </div>
    </>,
  );
}

export const overviewPages: Page = {
  navigation: { path: "", icon: "overview", label: { en: "Overview", ru: "Обзор" }, may: "overview" },
  routes: [{ for: "organisation", method: "GET", path: "", may: "overview", answer: overview }],
};
