/** For whoever runs the installation: the configuration in force, its versions and what changed between two of them, what the router chose lately, and how providers do. */
import { z } from "zod";
import { type AccountRow, accountsPage, findAccount } from "../../../db/accounts.ts";
import { accountIdSchema } from "../../../schema/key.ts";
import type { AddressView, RoutedRequest } from "../../../schema/routing.ts";
import { duration, integer } from "../frame/format.ts";
import { callAsOperator } from "../frame/gateway-call.ts";
import { HealthBadge } from "../frame/health.tsx";
import { render } from "../frame/layout.tsx";
import { diffLines, hunksOf } from "../frame/line-diff.ts";
import { Card, Code, Empty, Heading, Instant, Select, Table } from "../frame/parts.tsx";
import type { Page, PersonView } from "../frame/view.ts";
import { bilingual, common } from "../frame/words.ts";

const PATH = "/app/installation/routing";
const VERSIONS_SHOWN = 20;
const ACCOUNTS_SHOWN = 50;
const ADDRESSES_SHOWN = 40;
/** Of a document, so that the page stays within its size; the whole is at `GET /admin/config`. */
const CONFIG_CHARACTERS = 8_000;
const DIFF_LINES = 200;
const LINES_AROUND = 3;

const words = bilingual({
  en: {
    title: "Routing & config",
    config: "Configuration in force",
    empty: "No configuration is stored",
    emptyWhy:
      "Providers with a key in the environment are on all the same. Put a plyrum.yaml beside the program, or send one to PUT /admin/config.",
    cut: "This is the beginning; GET /admin/config has all of it. Keys are never shown.",
    versions: "Versions",
    number: "Number",
    size: "Bytes",
    stored: "Stored",
    compare: "What changed",
    from: "From",
    to: "To",
    show: "Compare",
    same: "The two are the same.",
    tooLong: "These versions are too long to compare here.",
    diffOf: (from: string, to: string) => `From version ${from} to ${to}`,
    removed: "removed",
    added: "added",
    account: "Account",
    choose: "Choose",
    decisions: "Router decisions lately",
    noDecisions: "The router was not asked lately",
    noDecisionsWhy:
      'Ask for model: "auto" and the decision shows up here: what the prompt was taken for, which models could serve it, and why this one was chosen.',
    chosen: "Chosen",
    basis: { pinned: "same conversation", preference: "preference", default: "default", catalogue: "price and difficulty" },
    work: "Work",
    why: "Why",
    of: (able: string, all: string) => `${able} of ${all} could`,
    health: "Providers as this account sees them",
    noHealth: "No provider was asked lately",
    noHealthWhy: "Each account keeps its own circuit breakers, in memory. They fill with the first requests.",
    latency: "First token",
    breaker: "Breaker",
    breakers: { closed: "closed", open: "open", "half-open": "on trial" },
    failures: "Failures in a row",
  },
  ru: {
    title: "Маршруты и настройки",
    config: "Действующая конфигурация",
    empty: "Конфигурация не задана",
    emptyWhy:
      "Провайдеры с ключом в окружении включены и так. Положите plyrum.yaml рядом с программой или отправьте его в PUT /admin/config.",
    cut: "Это начало; целиком — в GET /admin/config. Ключи не показываются никогда.",
    versions: "Версии",
    number: "Номер",
    size: "Байт",
    stored: "Сохранена",
    compare: "Что изменилось",
    from: "От",
    to: "До",
    show: "Сравнить",
    same: "Версии одинаковы.",
    tooLong: "Эти версии слишком длинны для сравнения здесь.",
    diffOf: (from: string, to: string) => `От версии ${from} к версии ${to}`,
    removed: "убрано",
    added: "добавлено",
    account: "Счёт",
    choose: "Выбрать",
    decisions: "Последние решения маршрутизатора",
    noDecisions: "Маршрутизатор недавно не спрашивали",
    noDecisionsWhy:
      'Запросите model: "auto", и здесь появится решение: за что принят запрос, какие модели могли ответить и почему выбрана эта.',
    chosen: "Выбрана",
    basis: { pinned: "тот же разговор", preference: "предпочтение", default: "по умолчанию", catalogue: "цена и сложность" },
    work: "Работа",
    why: "Почему",
    of: (able: string, all: string) => `могли ${able} из ${all}`,
    health: "Провайдеры глазами этого счёта",
    noHealth: "Провайдеров недавно не спрашивали",
    noHealthWhy: "У каждого счёта свои предохранители, в памяти. Они появятся с первыми запросами.",
    latency: "Первый токен",
    breaker: "Предохранитель",
    breakers: { closed: "замкнут", open: "разомкнут", "half-open": "на пробе" },
    failures: "Сбоев подряд",
  },
});

const versionsSchema = z.object({
  versions: z.array(z.object({ number: z.number().int(), bytes: z.number().int(), created_at: z.number().int() })),
});
type Version = z.infer<typeof versionsSchema>["versions"][number];

/** A configuration as lines; null where there is no such version. */
async function configText(view: PersonView, number: number | null): Promise<string | null> {
  const called = await callAsOperator(
    view,
    `/admin/config${number === null ? "" : `?number=${number}`}`,
    z.record(z.string(), z.unknown()),
  );
  return called.ok ? JSON.stringify(called.value, null, 2) : null;
}

function Config({ view, text: config }: { view: PersonView; text: string }) {
  const text = words(view.locale);
  return (
    <Card title={text.config} wide>
      {config === "{}" ? (
        <Empty title={text.empty}>
          <p>{text.emptyWhy}</p>
        </Empty>
      ) : (
        <Code view={view} text={config.slice(0, CONFIG_CHARACTERS)} label={text.config} />
      )}
      {config.length > CONFIG_CHARACTERS ? <p class="hint">{text.cut}</p> : null}
    </Card>
  );
}

interface Compared {
  from: number;
  to: number;
  before: string;
  after: string;
}

function Diff({ view, compared }: { view: PersonView; compared: Compared }) {
  const text = words(view.locale);
  const lines = diffLines(compared.before, compared.after);
  if (lines === null) return <p class="muted">{text.tooLong}</p>;
  if (lines.every((line) => line.kind === "same")) return <p class="muted">{text.same}</p>;
  const marks = { same: " ", gone: "−", new: "+" };
  const said = { same: undefined, gone: text.removed, new: text.added };
  return (
    <pre class="diff" tabindex={0} aria-label={text.diffOf(String(compared.from), String(compared.to))}>
      {hunksOf(lines, LINES_AROUND)
        .slice(0, DIFF_LINES)
        .map((line) =>
          line === null ? (
            <span class="left-out">⋯</span>
          ) : (
            <span class={line.kind}>
              {said[line.kind] === undefined ? null : <span class="visually-hidden">{`${said[line.kind]}: `}</span>}
              {`${marks[line.kind]} ${line.text}`}
            </span>
          ),
        )}
    </pre>
  );
}

function Versions({ view, versions, compared }: { view: PersonView; versions: readonly Version[]; compared: Compared | null }) {
  const text = words(view.locale);
  const options = versions.map(({ number }) => ({ value: String(number), label: String(number) }));
  if (versions.length === 0) return null;
  return (
    <>
      <Card title={text.versions}>
        <Table caption={text.versions} head={[text.number, text.size, text.stored]}>
          {versions.map(({ number, bytes, created_at: at }) => (
            <tr>
              <td>{number}</td>
              <td class="number">{integer(bytes, view.locale)}</td>
              <td>
                <Instant view={view} at={at} />
              </td>
            </tr>
          ))}
        </Table>
      </Card>
      <Card title={text.compare}>
        <form class="form inline" method="get" action={PATH}>
          <Select label={text.from} name="from" options={options} value={compared === null ? undefined : String(compared.from)} />
          <Select label={text.to} name="to" options={options} value={compared === null ? undefined : String(compared.to)} />
          <button type="submit">{text.show}</button>
        </form>
        {compared === null ? null : <Diff view={view} compared={compared} />}
      </Card>
    </>
  );
}

function Decisions({ view, decisions }: { view: PersonView; decisions: readonly RoutedRequest[] }) {
  const text = words(view.locale);
  return (
    <Card title={text.decisions} wide>
      {decisions.length === 0 ? (
        <Empty title={text.noDecisions}>
          <p>{text.noDecisionsWhy}</p>
        </Empty>
      ) : (
        <Table caption={text.decisions} head={[common(view.locale).time, text.chosen, text.work, text.why]}>
          {decisions.map((decision) => (
            <tr>
              <td>
                <Instant view={view} at={decision.at} />
              </td>
              <td class="breaks">{decision.model}</td>
              <td>
                {decision.workload}
                <div class="hint">{decision.difficulty}</div>
              </td>
              <td>
                {decision.route ?? text.basis[decision.basis]}
                <div class="hint">
                  {[text.of(integer(decision.able, view.locale), integer(decision.candidates, view.locale)), ...decision.reasons].join(
                    "; ",
                  )}
                </div>
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Card>
  );
}

function Addresses({ view, addresses }: { view: PersonView; addresses: readonly AddressView[] }) {
  const text = words(view.locale);
  const shared = common(view.locale);
  return (
    <Card title={text.health} wide>
      {addresses.length === 0 ? (
        <Empty title={text.noHealth}>
          <p>{text.noHealthWhy}</p>
        </Empty>
      ) : (
        <Table caption={text.health} head={[shared.provider, shared.model, shared.state, text.latency, text.breaker, text.failures]}>
          {addresses.slice(0, ADDRESSES_SHOWN).map((address) => (
            <tr>
              <td>
                {address.provider}
                <div class="hint mono breaks">{address.origin}</div>
              </td>
              <td class="breaks">{address.model}</td>
              <td>
                <HealthBadge view={view} health={address.health} />
              </td>
              <td class="number">{address.latency_ms === null ? "–" : duration(address.latency_ms, view.locale)}</td>
              <td>
                {text.breakers[address.breaker]}
                {address.retry_at === null ? null : (
                  <div class="hint">
                    <Instant view={view} at={address.retry_at} />
                  </div>
                )}
              </td>
              <td class="number">{integer(address.failures, view.locale)}</td>
            </tr>
          ))}
        </Table>
      )}
    </Card>
  );
}

function Chooser({ view, accounts, account }: { view: PersonView; accounts: readonly AccountRow[]; account: AccountRow }) {
  const text = words(view.locale);
  const options = accounts.map(({ id, name }) => ({ value: id, label: name === id ? name : `${name} (${id})` }));
  return (
    <form class="form inline" method="get" action={PATH}>
      <Select label={text.account} name="account" options={options} value={account.id} />
      <button type="submit">{text.choose}</button>
    </form>
  );
}

const number = z.coerce.number().int().positive().nullable().catch(null);
const querySchema = z.object({ from: number, to: number, account: accountIdSchema.nullable().catch(null) });

async function compare(view: PersonView, from: number | null, to: number | null): Promise<Compared | null> {
  if (from === null || to === null) return null;
  const [before, after] = await Promise.all([configText(view, from), configText(view, to)]);
  return before === null || after === null ? null : { from, to, before, after };
}

async function routingPage(view: PersonView): Promise<Response> {
  const text = words(view.locale);
  const { env, url } = view;
  const {
    from,
    to,
    account: wanted,
  } = querySchema.parse(Object.fromEntries(["from", "to", "account"].map((name) => [name, url.searchParams.get(name)])));
  const [config, called, accounts] = await Promise.all([
    configText(view, null),
    callAsOperator(view, `/admin/config/versions?limit=${VERSIONS_SHOWN}`, versionsSchema),
    accountsPage(env.DB, "", ACCOUNTS_SHOWN),
  ]);
  const versions = called.ok ? called.value.versions : [];
  const [newest, older] = versions;
  const account = (wanted === null ? null : await findAccount(env.DB, wanted)) ?? accounts.at(-1) ?? null;
  const object = account === null ? null : env.ACCOUNT.get(env.ACCOUNT.idFromName(account.id));
  const [compared, decisions, addresses] = await Promise.all([
    compare(view, from ?? older?.number ?? null, to ?? newest?.number ?? null),
    object?.decisions() ?? [],
    object?.addresses() ?? [],
  ]);
  return render(
    view,
    { title: text.title },
    <>
      <Heading title={text.title} />
      <div class="cards">
        <Config view={view} text={config ?? "{}"} />
        <Versions view={view} versions={versions} compared={compared} />
      </div>
      {account === null ? null : <Chooser view={view} accounts={accounts} account={account} />}
      <div class="cards">
        <Decisions view={view} decisions={[...decisions]} />
        <Addresses view={view} addresses={[...addresses]} />
      </div>
    </>,
  );
}

export const routingPages: Page = {
  navigation: { path: "/routing", icon: "routing", label: { en: "Routing & config", ru: "Маршруты" }, may: "operate" },
  routes: [{ for: "operator", method: "GET", path: "/routing", answer: routingPage }],
};
