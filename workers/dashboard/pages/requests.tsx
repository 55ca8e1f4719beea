/** The requests of an organisation, the newest first, those under way before them. Filters are in the address, so that a view can be kept and sent. */
import { z } from "zod";
import { keysOfProjects } from "../../../db/projects.ts";
import { type UsageRow, usageRows, usageStore } from "../../../db/usage-rows.ts";
import { usageShards } from "../../../db/usage-shards.ts";
import type { KeyRow } from "../../../schema/key.ts";
import type { Hold } from "../../../schema/ledger.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { duration, exactRoubles, integer } from "../frame/format.ts";
import { render } from "../frame/layout.tsx";
import { Live } from "../frame/live.tsx";
import { Card, Empty, Field, Heading, Instant, Select, Table } from "../frame/parts.tsx";
import { StateBadge } from "../frame/states.tsx";
import type { OrganisationView, Page } from "../frame/view.ts";
import { bilingual, common } from "../frame/words.ts";

const ROWS_SHOWN = 50;
/** Rows looked at for one page of a filtered list; where they do not suffice, the page says so and the next goes on from there. */
const ROWS_SEARCHED = 2_000;
const STATES = ["settled", "failed", "cancelled", "expired"] as const;

const words = bilingual({
  en: {
    title: "Requests",
    all: "All",
    states: { settled: "Succeeded", failed: "Failed", cancelled: "Cancelled", expired: "Expired" },
    model: "Model contains",
    from: "From",
    to: "To",
    anyKey: "Any key",
    show: "Show",
    started: "Started",
    took: "Took",
    held: (amount: string) => `${amount} held`,
    none: "No requests",
    noneWhy: "Nothing matches these filters, or nothing was asked yet. The overview shows how to make the first call.",
    more: (count: string) => `Looked through ${count} requests; older ones are on the next page.`,
    inOut: "In / out",
  },
  ru: {
    title: "Запросы",
    all: "Все",
    states: { settled: "Успешные", failed: "С ошибкой", cancelled: "Отменённые", expired: "Истёкшие" },
    model: "В имени модели",
    from: "С",
    to: "По",
    anyKey: "Любой ключ",
    show: "Показать",
    started: "Начало",
    took: "Длился",
    held: (amount: string) => `удержано ${amount}`,
    none: "Запросов нет",
    noneWhy: "Под эти условия ничего не подходит, или запросов ещё не было. Как сделать первый, показано в обзоре.",
    more: (count: string) => `Просмотрено запросов: ${count}; более старые на следующей странице.`,
    inOut: "Вход / выход",
  },
});

const day = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}$/)
  .nullable()
  .catch(null);
const filterSchema = z.object({
  state: z.enum(STATES).nullable().catch(null),
  model: z.string().trim().max(LIMITS.modelNameCharacters).catch(""),
  key: z.string().max(80).catch(""),
  from: day,
  to: day,
  cursor: z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER).catch(Number.MAX_SAFE_INTEGER),
});
type Filter = z.infer<typeof filterSchema>;

/** What the address asks for; what makes no sense counts as left out. */
function filterOf(view: OrganisationView): Filter {
  const query = (name: string): string | null => view.url.searchParams.get(name);
  const names = ["state", "from", "to"] as const;
  const texts = { model: query("model") ?? "", key: query("key") ?? "", cursor: query("cursor") ?? undefined };
  return filterSchema.parse({ ...texts, ...Object.fromEntries(names.map((name) => [name, query(name)])) });
}

function fits(row: UsageRow, filter: Filter): boolean {
  if (filter.state !== null && row.state !== filter.state) return false;
  if (filter.key !== "" && row.key_id !== filter.key) return false;
  return filter.model === "" || row.model.includes(filter.model);
}

function isUnfiltered(filter: Filter): boolean {
  return filter.state === null && filter.key === "" && filter.model === "";
}

interface Found {
  rows: UsageRow[];
  searched: number;
  /** Where the next page begins; null: there is none. */
  cursor: number | null;
}

async function search(view: OrganisationView, filter: Filter): Promise<Found> {
  const { env, organisation } = view;
  const store = usageStore((await usageShards(env)).of(organisation.account_id), env.ARCHIVE);
  const range = { accountId: organisation.account_id, fromDay: filter.from ?? "0000-01-01", toDay: filter.to ?? "9999-12-31" };
  const isFiltered = !isUnfiltered(filter);
  const rows: UsageRow[] = [];
  let beforeSeq = filter.cursor;
  for (let searched = 0; searched < ROWS_SEARCHED;) {
    const limit = isFiltered ? LIMITS.pageRowsMax : ROWS_SHOWN;
    const page = await usageRows(store, range, { beforeSeq, limit });
    for (const row of page) {
      searched += 1;
      beforeSeq = row.seq;
      if (fits(row, filter)) rows.push(row);
      if (rows.length === ROWS_SHOWN) return { rows, searched, cursor: beforeSeq };
    }
    if (page.length < limit) return { rows, searched, cursor: null };
  }
  return { rows, searched: ROWS_SEARCHED, cursor: beforeSeq };
}

function Filters({ view, filter, keys }: { view: OrganisationView; filter: Filter; keys: readonly { value: string; label: string }[] }) {
  const text = words(view.locale);
  const shared = common(view.locale);
  const states = [{ value: "", label: text.all }, ...STATES.map((state) => ({ value: state, label: text.states[state] }))];
  return (
    <form class="form inline" method="get" action={view.href("/requests")}>
      <Select label={shared.state} name="state" options={states} value={filter.state ?? ""} />
      <Field label={text.model} name="model" value={filter.model} />
      <Select label={shared.key} name="key" options={[{ value: "", label: text.anyKey }, ...keys]} value={filter.key} />
      <Field label={text.from} name="from" type="date" value={filter.from ?? ""} />
      <Field label={text.to} name="to" type="date" value={filter.to ?? ""} />
      <button type="submit">{text.show}</button>
    </form>
  );
}

/** What the script of the page fills in for a request that begins while the page is open. */
const NO_HOLD = { request_id: "", created_at: 0, model: "", hold_micro_rub: "0" };

function RunningLine({ view, hold }: { view: OrganisationView; hold: Pick<Hold, keyof typeof NO_HOLD> }) {
  const text = words(view.locale);
  return (
    <tr data-request={hold.request_id} data-at={hold.created_at}>
      <td>
        <a href={view.href(`/requests/${hold.request_id}`)}>
          <Instant view={view} at={hold.created_at} />
        </a>
      </td>
      <td data-cell="model">{hold.model}</td>
      <td data-cell="state">
        <StateBadge view={view} state="dispatched" />
      </td>
      <td class="number" data-cell="tokens">
        –
      </td>
      <td class="number" data-cell="took">
        –
      </td>
      <td class="number" data-cell="cost">
        {text.held(exactRoubles(hold.hold_micro_rub, view.locale))}
      </td>
    </tr>
  );
}

function RequestLine({ view, row }: { view: OrganisationView; row: UsageRow }) {
  const tokens = (count: number | null): string => (count === null ? "?" : integer(count, view.locale));
  const input = row.input_tokens === null ? null : row.input_tokens + (row.cache_read_tokens ?? 0);
  return (
    <tr data-request={row.request_id} data-at={row.at}>
      <td>
        <a href={view.href(`/requests/${row.request_id}`)}>
          <Instant view={view} at={row.at} />
        </a>
      </td>
      <td>
        {row.model}
        {row.error_code === null ? null : <div class="hint">{row.error_code}</div>}
      </td>
      <td data-cell="state">
        <StateBadge view={view} state={row.state === "settled" ? "recorded" : row.state} />
      </td>
      <td class="number" data-cell="tokens">
        {tokens(input)} / {tokens(row.output_tokens)}
      </td>
      <td class="number" data-cell="took">
        {duration(row.duration_ms, view.locale)}
      </td>
      <td class="number" data-cell="cost">
        {exactRoubles(row.charged_micro_rub, view.locale)}
      </td>
    </tr>
  );
}

/** Keys by the name people gave them, for the filter. */
async function keyChoices(view: OrganisationView): Promise<{ value: string; label: string }[]> {
  const [rows, owners] = await Promise.all([view.account.listKeys(), keysOfProjects(view.env.DB, view.organisation.id)]);
  const endings = new Map(owners.map((owner) => [owner.key_id, owner.ending]));
  return rows.map((row: KeyRow) => {
    const ending = endings.get(row.key_id);
    return { value: row.key_id, label: ending === undefined ? row.name : `${row.name} …${ending}` };
  });
}

async function requestsPage(view: OrganisationView): Promise<Response> {
  const text = words(view.locale);
  const shared = common(view.locale);
  const filter = filterOf(view);
  const isFirst = filter.cursor === Number.MAX_SAFE_INTEGER;
  const showsRunning = isFirst && filter.state === null && filter.to === null;
  const [found, keys, holds] = await Promise.all([search(view, filter), keyChoices(view), showsRunning ? view.account.openHolds() : []]);
  const running = holds.filter((hold) => hold.model.includes(filter.model) && (filter.key === "" || hold.key_id === filter.key));
  const next = new URL(view.url);
  next.searchParams.set("cursor", String(found.cursor));
  const first = new URL(view.url);
  first.searchParams.delete("cursor");
  return render(
    view,
    { title: text.title, islands: ["live.js"] },
    <>
      <Heading title={text.title}>
        <Live view={view} />
      </Heading>
      <template id="request-row">
        <table>
          <RunningLine view={view} hold={NO_HOLD} />
        </table>
      </template>
      <Card>
        <Filters view={view} filter={filter} keys={keys} />
      </Card>
      <Card live={showsRunning && isUnfiltered(filter) && filter.from === null ? "all" : "known"}>
        {running.length + found.rows.length === 0 ? (
          <Empty title={text.none}>
            <p>{text.noneWhy}</p>
          </Empty>
        ) : (
          <Table
            caption={text.title}
            head={[text.started, shared.model, shared.state, `#${text.inOut}`, `#${text.took}`, `#${shared.cost}`]}
          >
            {running.slice(0, ROWS_SHOWN).map((hold) => (
              <RunningLine view={view} hold={hold} />
            ))}
            {found.rows.map((row) => (
              <RequestLine view={view} row={row} />
            ))}
          </Table>
        )}
        {found.searched >= ROWS_SEARCHED ? <p class="hint">{text.more(integer(found.searched, view.locale))}</p> : null}
        <div class="pages">
          {isFirst ? <span></span> : <a href={first.pathname + first.search}>{shared.newest}</a>}
          {found.cursor === null ? null : <a href={next.pathname + next.search}>{shared.next}</a>}
        </div>
      </Card>
    </>,
  );
}

export const requestsPages: Page = {
  navigation: { path: "/requests", icon: "requests", label: { en: "Requests", ru: "Запросы" }, may: "requests.view" },
  routes: [{ for: "organisation", method: "GET", path: "/requests", may: "requests.view", answer: requestsPage }],
};
