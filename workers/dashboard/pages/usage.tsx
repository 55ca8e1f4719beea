/** Usage and cost: by day as a chart, by any dimension as a table, and every row as a file. All sums come from rollups. */
import { z } from "zod";
import { keysOfProjects, projectsOf } from "../../../db/projects.ts";
import { type GroupRow, usageGroups, type UsageFilter } from "../../../db/usage.ts";
import { usageShards } from "../../../db/usage-shards.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { dayAgo, DayChart, daysBetween } from "../frame/charts.tsx";
import { compact, exactRoubles, integer, percent } from "../frame/format.ts";
import { openAsAccount } from "../frame/gateway-call.ts";
import { render } from "../frame/layout.tsx";
import { Card, Empty, Field, Figure, Heading, Select, Table } from "../frame/parts.tsx";
import type { OrganisationView, Page } from "../frame/view.ts";
import { bilingual, common } from "../frame/words.ts";

const DAYS_DEFAULT = 30;
/** The longest range a chart has a bar for each day of. */
const DAYS_MAX = 370;
const DIMENSIONS = ["model", "provider", "key", "project"] as const;
type Dimension = (typeof DIMENSIONS)[number];

const words = bilingual({
  en: {
    title: "Usage & cost",
    from: "From",
    to: "To",
    by: "By",
    show: "Show",
    dimensions: { model: "model", provider: "provider", key: "key", project: "project" },
    byDay: "Spend by day",
    requestsByDay: "Requests by day",
    good: "Succeeded",
    failed: "Failed",
    inputTokens: "Input",
    cached: "Cache",
    outputTokens: "Output",
    share: "Share",
    export: "Every request of this range as a file",
    none: "Nothing was used in this range",
    noneWhy: "Choose other days, or make the first call: the overview shows how.",
    noProject: "without a project",
    utc: "Days are those of UTC.",
  },
  ru: {
    title: "Расход",
    from: "С",
    to: "По",
    by: "По чему",
    show: "Показать",
    dimensions: { model: "модель", provider: "провайдер", key: "ключ", project: "проект" },
    byDay: "Расход по дням",
    requestsByDay: "Запросы по дням",
    good: "Успешные",
    failed: "С ошибкой",
    inputTokens: "Вход",
    cached: "Кэш",
    outputTokens: "Выход",
    share: "Доля",
    export: "Все запросы за эти дни файлом",
    none: "За эти дни расхода не было",
    noneWhy: "Выберите другие дни или сделайте первый запрос: как, показано в обзоре.",
    noProject: "без проекта",
    utc: "Дни считаются по UTC.",
  },
});

const day = z.string().regex(/^\d{4}-\d{2}-\d{2}$/);

interface Range {
  fromDay: string;
  toDay: string;
  by: Dimension;
}

function rangeOf(view: OrganisationView): Range {
  const query = (name: string): string | null => view.url.searchParams.get(name);
  const [from, to] = [day.safeParse(query("from")), day.safeParse(query("to"))];
  const toDay = to.success && !Number.isNaN(Date.parse(to.data)) ? to.data : dayAgo(0);
  const earliest = dayAgo(DAYS_MAX, Date.parse(toDay));
  const fromDay = from.success && !Number.isNaN(Date.parse(from.data)) ? from.data : dayAgo(DAYS_DEFAULT - 1, Date.parse(toDay));
  const by = DIMENSIONS.find((each) => each === query("by")) ?? "model";
  return { fromDay: fromDay < earliest ? earliest : fromDay > toDay ? toDay : fromDay, toDay, by };
}

interface NamedRow extends GroupRow {
  label: string;
}

/** Rows of the dimension with the names people gave, the dearest first. */
async function rowsOf(view: OrganisationView, databases: readonly D1Database[], filter: UsageFilter, by: Dimension): Promise<NamedRow[]> {
  const group = by === "project" ? "key" : by;
  const rows = await usageGroups(databases, filter, { by: group, afterName: "", limit: LIMITS.pageRowsMax });
  const named = group === "key" ? await withKeyNames(view, rows, by) : rows.map((row) => ({ ...row, label: row.name }));
  return named.toSorted((left, right) => right.charged_micro_rub - left.charged_micro_rub || right.requests - left.requests);
}

async function withKeyNames(view: OrganisationView, rows: readonly GroupRow[], by: Dimension): Promise<NamedRow[]> {
  const [keys, owners, projects] = await Promise.all([
    view.account.listKeys(),
    keysOfProjects(view.env.DB, view.organisation.id),
    projectsOf(view.env.DB, view.organisation.id),
  ]);
  const keyNames = new Map(keys.map((key) => [key.key_id, key.name]));
  if (by === "key") return rows.map((row) => ({ ...row, label: keyNames.get(row.name) ?? row.name }));
  const projectNames = new Map(projects.map((project) => [project.id, project.name]));
  const projectOf = new Map(owners.map((owner) => [owner.key_id, owner.project_id]));
  const sums = new Map<string, NamedRow>();
  for (const row of rows) {
    const id = projectOf.get(row.name) ?? "";
    const known = sums.get(id);
    const label = projectNames.get(id) ?? words(view.locale).noProject;
    sums.set(id, known === undefined ? { ...row, name: id, label } : { ...sumOf(known, row), name: id, label });
  }
  return [...sums.values()];
}

function sumOf(left: GroupRow, right: GroupRow): GroupRow {
  return {
    name: left.name,
    requests: left.requests + right.requests,
    failed: left.failed + right.failed,
    input_tokens: left.input_tokens + right.input_tokens,
    cache_read_tokens: left.cache_read_tokens + right.cache_read_tokens,
    cache_write_tokens: left.cache_write_tokens + right.cache_write_tokens,
    output_tokens: left.output_tokens + right.output_tokens,
    cost_micro_rub: left.cost_micro_rub + right.cost_micro_rub,
    charged_micro_rub: left.charged_micro_rub + right.charged_micro_rub,
  };
}

function Totals({ view, rows }: { view: OrganisationView; rows: readonly GroupRow[] }) {
  const shared = common(view.locale);
  const text = words(view.locale);
  const [first, ...others] = rows;
  if (first === undefined) return null;
  const total = others.reduce(sumOf, first);
  return (
    <dl class="figures">
      <Figure label={shared.spend} value={exactRoubles(total.charged_micro_rub, view.locale)} />
      <Figure label={shared.requests} value={integer(total.requests, view.locale)} />
      <Figure label={shared.errors} value={percent(total.requests === 0 ? 0 : total.failed / total.requests, view.locale)} />
      <Figure
        label={text.inputTokens}
        value={compact(total.input_tokens + total.cache_read_tokens + total.cache_write_tokens, view.locale)}
      />
      <Figure label={text.outputTokens} value={compact(total.output_tokens, view.locale)} />
    </dl>
  );
}

function GroupTable({ view, rows, by }: { view: OrganisationView; rows: readonly NamedRow[]; by: Dimension }) {
  const text = words(view.locale);
  const shared = common(view.locale);
  const whole = rows.reduce((sum, row) => sum + row.charged_micro_rub, 0);
  const figures = [shared.requests, text.failed, text.inputTokens, text.cached, text.outputTokens, shared.cost, text.share];
  const head = [text.dimensions[by], ...figures.map((title) => `#${title}`)];
  return (
    <Table caption={text.title} head={head}>
      {rows.map((row) => (
        <tr>
          <th scope="row" class="breaks">
            {row.label}
          </th>
          <td class="number">{integer(row.requests, view.locale)}</td>
          <td class="number">{integer(row.failed, view.locale)}</td>
          <td class="number">{compact(row.input_tokens, view.locale)}</td>
          <td class="number">{compact(row.cache_read_tokens + row.cache_write_tokens, view.locale)}</td>
          <td class="number">{compact(row.output_tokens, view.locale)}</td>
          <td class="number">{exactRoubles(row.charged_micro_rub, view.locale)}</td>
          <td class="number">{whole === 0 ? "–" : percent(row.charged_micro_rub / whole, view.locale)}</td>
        </tr>
      ))}
    </Table>
  );
}

function Charts({ view, range, byDay }: { view: OrganisationView; range: Range; byDay: readonly GroupRow[] }) {
  const text = words(view.locale);
  const days = daysBetween(range.fromDay, range.toDay);
  const rowOf = new Map(byDay.map((row) => [row.name, row]));
  const values = (of: (row: GroupRow) => number): number[] => days.map((each) => (rowOf.has(each) ? of(rowOf.get(each) ?? EMPTY) : 0));
  return (
    <>
      <Card title={text.byDay}>
        <DayChart
          view={view}
          id="spend-data"
          label={text.byDay}
          days={days}
          series={[{ label: common(view.locale).spend, kind: "money", values: values((row) => row.charged_micro_rub) }]}
        />
      </Card>
      <Card title={text.requestsByDay}>
        <DayChart
          view={view}
          id="requests-data"
          label={text.requestsByDay}
          days={days}
          series={[
            { label: text.good, kind: "count", colour: "good", values: values((row) => row.requests - row.failed) },
            { label: text.failed, kind: "count", colour: "bad", values: values((row) => row.failed) },
          ]}
        />
      </Card>
    </>
  );
}

const EMPTY: GroupRow = {
  name: "",
  requests: 0,
  failed: 0,
  input_tokens: 0,
  cache_read_tokens: 0,
  cache_write_tokens: 0,
  output_tokens: 0,
  cost_micro_rub: 0,
  charged_micro_rub: 0,
};

async function usagePage(view: OrganisationView): Promise<Response> {
  const text = words(view.locale);
  const range = rangeOf(view);
  const { account_id: accountId } = view.organisation;
  const databases = (await usageShards(view.env)).of(accountId);
  const filter = { accountId, fromDay: range.fromDay, toDay: range.toDay };
  const [byDay, rows] = await Promise.all([
    usageGroups(databases, filter, { by: "day", afterName: "", limit: DAYS_MAX + 1 }),
    rowsOf(view, databases, filter, range.by),
  ]);
  const options = DIMENSIONS.map((each) => ({ value: each, label: text.dimensions[each] }));
  const query = `from=${range.fromDay}&to=${range.toDay}`;
  return render(
    view,
    { title: text.title, islands: ["chart.js"] },
    <>
      <Heading title={text.title} />
      <Card>
        <form class="form inline" method="get" action={view.href("/usage")}>
          <Field label={text.from} name="from" type="date" value={range.fromDay} />
          <Field label={text.to} name="to" type="date" value={range.toDay} />
          <Select label={text.by} name="by" options={options} value={range.by} />
          <button type="submit">{text.show}</button>
        </form>
        <p class="hint">{text.utc}</p>
      </Card>
      <Totals view={view} rows={byDay} />
      {rows.length === 0 ? (
        <Card>
          <Empty title={text.none}>
            <p>{text.noneWhy}</p>
          </Empty>
        </Card>
      ) : (
        <div class="cards">
          <Charts view={view} range={range} byDay={byDay} />
          <Card wide>
            <GroupTable view={view} rows={rows} by={range.by} />
          </Card>
        </div>
      )}
      <Card title={text.export}>
        <div class="row">
          <a class="button" href={view.href(`/usage/export?format=csv&${query}`)} download>
            CSV
          </a>
          <a class="button" href={view.href(`/usage/export?format=jsonl&${query}`)} download>
            JSONL
          </a>
        </div>
      </Card>
    </>,
  );
}

/** The gateway's own export, streamed through: one page of rows in memory, however long it is. */
function exportUsage(view: OrganisationView): Promise<Response> {
  const query = new URLSearchParams();
  for (const name of ["from", "to", "format"]) {
    const value = view.url.searchParams.get(name);
    if (value !== null) query.set(name, value);
  }
  return openAsAccount(view, `/v1/usage/export?${query.toString()}`);
}

export const usagePages: Page = {
  navigation: { path: "/usage", icon: "usage", label: { en: "Usage & cost", ru: "Расход" }, may: "usage.view" },
  routes: [
    { for: "organisation", method: "GET", path: "/usage", may: "usage.view", answer: usagePage },
    { for: "organisation", method: "GET", path: "/usage/export", may: "usage.view", answer: exportUsage },
  ],
};
