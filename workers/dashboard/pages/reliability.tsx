/** For whoever runs the installation: what waits, what is stuck, what does not agree, and what people changed. Nothing here asks D1 for more than a page. */
import { z } from "zod";
import { type AccountRow, accountsPage } from "../../../db/accounts.ts";
import { type DeadLetter, countWaiting, deadLetters } from "../../../db/dead-letters.ts";
import { type HoldAccuracy, holdAccuracy } from "../../../db/hold-accuracy.ts";
import { type AuditRow, auditPage } from "../../../db/sign-in.ts";
import { usageShards } from "../../../db/usage-shards.ts";
import { accountIdSchema } from "../../../schema/key.ts";
import type { Balance, Hold } from "../../../schema/ledger.ts";
import { duration, exactRoubles, integer, percent } from "../frame/format.ts";
import { readForm } from "../frame/form.ts";
import { callAsOperator } from "../frame/gateway-call.ts";
import { render } from "../frame/layout.tsx";
import { Card, Empty, Figure, FormToken, Heading, Instant, Notice, Table } from "../frame/parts.tsx";
import { type Page, type PersonView, redirect } from "../frame/view.ts";
import { bilingual, common } from "../frame/words.ts";

const ACCOUNTS_SHOWN = 20;
const LETTERS_SHOWN = 20;
const EVENTS_SHOWN = 30;
const HOLDS_SHOWN = 20;
/** Newest requests of an account that its estimates are judged by. */
const ACCURACY_ROWS = 500;
const PATH = "/app/installation/reliability";

const words = bilingual({
  en: {
    title: "Reliability",
    openHolds: "Open holds",
    oldest: (age: string) => `the oldest for ${age}`,
    held: "Held",
    outbox: "Waiting for D1",
    outboxWhy: "ledger entries that D1 has not confirmed",
    letters: "Dead letters",
    lettersWhy: "parked, waiting for somebody",
    ofPage: "of the accounts on this page",
    holds: "Open holds by age",
    noHolds: "Nothing is held",
    noHoldsWhy: "A hold is money set aside while a request runs. One that is older than its request could take is ended by its alarm.",
    request: "Request",
    account: "Account",
    age: "Age",
    expires: "Expires in",
    overdue: "overdue",
    accounts: "Accounts",
    entries: "Entries",
    behind: "Behind",
    balance: "Balance",
    accuracy: "Estimate",
    accuracyOf: (share: string, above: string) => `cost is ${share} of what was held; above it: ${above}`,
    reconcile: "Reconcile",
    reconcileOf: (name: string) => `Reconcile ${name}`,
    agrees: (id: string, repaired: string) => `${id}: the ledger and D1 agree. Rows put back: ${repaired}.`,
    differs: (id: string) => `${id}: the ledger and D1 differ. Somebody has to look.`,
    noLetters: "No dead letters",
    noLettersWhy: "A message that fails again and again is parked here with its reason instead of being lost, and can be sent again.",
    queue: "Queue",
    reason: "Reason",
    parked: "Parked",
    replay: "Send all waiting again",
    replayed: (count: string) => `Sent again: ${count}. Applying a message twice changes nothing.`,
    audit: "Audit log",
    noAudit: "Nothing was changed yet",
    noAuditWhy: "Every change that somebody makes on these pages is noted here: who, what and when.",
    who: "Who",
    what: "What",
    target: "Of what",
    where: "Organisation",
    nextAccounts: "More accounts",
    earlier: "Earlier",
  },
  ru: {
    title: "Надёжность",
    openHolds: "Открытых удержаний",
    oldest: (age: string) => `самому старому ${age}`,
    held: "Удержано",
    outbox: "Ждут D1",
    outboxWhy: "записи журнала, которые D1 не подтвердила",
    letters: "Недоставленные",
    lettersWhy: "отложены и ждут человека",
    ofPage: "по счетам на этой странице",
    holds: "Открытые удержания по возрасту",
    noHolds: "Ничего не удержано",
    noHoldsWhy: "Удержание — деньги, отложенные на время запроса. Слишком старое завершает будильник счёта.",
    request: "Запрос",
    account: "Счёт",
    age: "Возраст",
    expires: "Истекает через",
    overdue: "просрочено",
    accounts: "Счета",
    entries: "Записей",
    behind: "Отстаёт",
    balance: "Баланс",
    accuracy: "Оценка",
    accuracyOf: (share: string, above: string) => `стоимость — ${share} удержанного; выше него: ${above}`,
    reconcile: "Сверить",
    reconcileOf: (name: string) => `Сверить ${name}`,
    agrees: (id: string, repaired: string) => `${id}: журнал и D1 совпадают. Возвращено строк: ${repaired}.`,
    differs: (id: string) => `${id}: журнал и D1 расходятся. Нужен человек.`,
    noLetters: "Недоставленных сообщений нет",
    noLettersWhy:
      "Сообщение, которое раз за разом не применяется, откладывается сюда с причиной, а не теряется; его можно отправить снова.",
    queue: "Очередь",
    reason: "Причина",
    parked: "Отложено",
    replay: "Отправить все снова",
    replayed: (count: string) => `Отправлено снова: ${count}. Повтор сообщения ничего не меняет.`,
    audit: "Журнал изменений",
    noAudit: "Пока ничего не меняли",
    noAuditWhy: "Каждое изменение на этих страницах записывается сюда: кто, что и когда.",
    who: "Кто",
    what: "Что",
    target: "Над чем",
    where: "Организация",
    nextAccounts: "Другие счета",
    earlier: "Раньше",
  },
});

interface AccountFacts {
  account: AccountRow;
  balance: Balance;
  seq: number;
  recordedSeq: number;
  holds: Hold[];
  accuracy: HoldAccuracy;
}

/** From the account's object alone, but for how good its estimates were. */
async function factsOf(account: AccountRow, env: Env): Promise<AccountFacts> {
  const object = env.ACCOUNT.get(env.ACCOUNT.idFromName(account.id));
  const [balance, mark, holds, accuracy] = await Promise.all([
    object.balance(),
    object.watermark(),
    object.openHolds(),
    holdAccuracy((await usageShards(env)).of(account.id), account.id, ACCURACY_ROWS),
  ]);
  return { account, balance, seq: mark.seq, recordedSeq: mark.recorded_seq, holds: [...holds], accuracy };
}

function Figures({ view, facts, waiting }: { view: PersonView; facts: readonly AccountFacts[]; waiting: number }) {
  const text = words(view.locale);
  const { locale } = view;
  const holds = facts.flatMap((each) => each.holds);
  const held = facts.reduce((sum, each) => sum + BigInt(each.balance.held_micro_rub), 0n);
  const behind = facts.reduce((sum, each) => sum + each.seq - each.recordedSeq, 0);
  const oldest = holds.reduce((least, hold) => Math.min(least, hold.created_at), Infinity);
  const age = Number.isFinite(oldest) ? text.oldest(duration(Math.max(0, Date.now() - oldest), locale)) : text.ofPage;
  return (
    <dl class="figures">
      <Figure label={text.openHolds} value={integer(holds.length, locale)} note={age} />
      <Figure label={text.held} value={exactRoubles(held, locale)} note={text.ofPage} />
      <Figure label={text.outbox} value={integer(behind, locale)} note={text.outboxWhy} />
      <Figure label={text.letters} value={integer(waiting, locale)} note={text.lettersWhy} />
    </dl>
  );
}

function Holds({ view, facts }: { view: PersonView; facts: readonly AccountFacts[] }) {
  const text = words(view.locale);
  const now = Date.now();
  const holds = facts.flatMap(({ account, holds: open }) => open.map((hold) => ({ account, hold })));
  holds.sort((left, right) => left.hold.created_at - right.hold.created_at);
  return (
    <Card title={text.holds} wide>
      {holds.length === 0 ? (
        <Empty title={text.noHolds}>
          <p>{text.noHoldsWhy}</p>
        </Empty>
      ) : (
        <Table caption={text.holds} head={[text.request, text.account, common(view.locale).model, text.age, text.expires, text.held]}>
          {holds.slice(0, HOLDS_SHOWN).map(({ account, hold }) => (
            <tr>
              <td class="mono breaks">{hold.request_id}</td>
              <td class="breaks">{account.name}</td>
              <td class="breaks">{hold.model}</td>
              <td class="number">{duration(Math.max(0, now - hold.created_at), view.locale)}</td>
              <td class="number">
                {hold.expires_at < now ? <span class="badge bad">{text.overdue}</span> : duration(hold.expires_at - now, view.locale)}
              </td>
              <td class="number">{exactRoubles(hold.hold_micro_rub, view.locale)}</td>
            </tr>
          ))}
        </Table>
      )}
    </Card>
  );
}

function Accuracy({ view, accuracy }: { view: PersonView; accuracy: HoldAccuracy }) {
  const text = words(view.locale);
  if (accuracy.held_micro_rub === 0) return <>–</>;
  const share = percent(accuracy.cost_micro_rub / accuracy.held_micro_rub, view.locale, 4);
  return <>{text.accuracyOf(share, `${integer(accuracy.above, view.locale)} / ${integer(accuracy.requests, view.locale)}`)}</>;
}

function Accounts({ view, facts }: { view: PersonView; facts: readonly AccountFacts[] }) {
  const text = words(view.locale);
  const last = facts.at(-1)?.account.id;
  return (
    <Card title={text.accounts} wide>
      <Table caption={text.accounts} head={[text.account, text.balance, text.held, text.entries, text.behind, text.accuracy, ""]}>
        {facts.map(({ account, balance, seq, recordedSeq, accuracy }) => (
          <tr>
            <td>
              {account.name}
              <div class="hint mono">{account.id}</div>
            </td>
            <td class="number">{exactRoubles(balance.balance_micro_rub, view.locale)}</td>
            <td class="number">{exactRoubles(balance.held_micro_rub, view.locale)}</td>
            <td class="number">{integer(seq, view.locale)}</td>
            <td class="number">
              {seq === recordedSeq ? (
                <span class="badge good">0</span>
              ) : (
                <span class="badge warn">{integer(seq - recordedSeq, view.locale)}</span>
              )}
            </td>
            <td>
              <Accuracy view={view} accuracy={accuracy} />
            </td>
            <td class="number">
              <form method="post" action={`${PATH}/reconcile`}>
                <FormToken view={view} />
                <input type="hidden" name="id" value={account.id} />
                <button class="small" type="submit" aria-label={text.reconcileOf(account.name)}>
                  {text.reconcile}
                </button>
              </form>
            </td>
          </tr>
        ))}
      </Table>
      {facts.length === ACCOUNTS_SHOWN && last !== undefined ? (
        <div class="pages">
          <span></span>
          <a href={`${PATH}?after=${encodeURIComponent(last)}`}>{text.nextAccounts}</a>
        </div>
      ) : null}
    </Card>
  );
}

function Letters({ view, letters, waiting }: { view: PersonView; letters: readonly DeadLetter[]; waiting: number }) {
  const text = words(view.locale);
  return (
    <Card title={text.letters} wide>
      {letters.length === 0 ? (
        <Empty title={text.noLetters}>
          <p>{text.noLettersWhy}</p>
        </Empty>
      ) : (
        <Table caption={text.letters} head={[text.queue, text.reason, text.parked]}>
          {letters.map((letter) => (
            <tr>
              <td>
                {letter.queue}
                <div class="hint mono breaks">{letter.id}</div>
              </td>
              <td class="breaks">{letter.reason}</td>
              <td>
                <Instant view={view} at={letter.parked_at} />
              </td>
            </tr>
          ))}
        </Table>
      )}
      {waiting === 0 ? null : (
        <form method="post" action={`${PATH}/replay`}>
          <FormToken view={view} />
          <button class="primary" type="submit">
            {text.replay}
          </button>
        </form>
      )}
    </Card>
  );
}

function Audit({ view, events }: { view: PersonView; events: readonly AuditRow[] }) {
  const text = words(view.locale);
  const last = events.at(-1)?.id;
  return (
    <Card title={text.audit} wide>
      {events.length === 0 ? (
        <Empty title={text.noAudit}>
          <p>{text.noAuditWhy}</p>
        </Empty>
      ) : (
        <Table caption={text.audit} head={[common(view.locale).time, text.who, text.what, text.target, text.where]}>
          {events.map((event) => (
            <tr>
              <td>
                <Instant view={view} at={event.at} />
              </td>
              <td>{event.person ?? "–"}</td>
              <td class="mono">{event.action}</td>
              <td class="mono breaks">{event.target ?? "–"}</td>
              <td>{event.organisation ?? "–"}</td>
            </tr>
          ))}
        </Table>
      )}
      {events.length === EVENTS_SHOWN && last !== undefined ? (
        <div class="pages">
          <span></span>
          <a href={`${PATH}?before=${last}`}>{text.earlier}</a>
        </div>
      ) : null}
    </Card>
  );
}

interface Told {
  bad?: string;
  good?: string;
}

const querySchema = z.object({
  after: accountIdSchema.catch(""),
  before: z.coerce.number().int().positive().catch(Number.MAX_SAFE_INTEGER),
});

async function reliabilityPage(view: PersonView, told: Told = {}): Promise<Response> {
  const text = words(view.locale);
  const { env, url } = view;
  const query = querySchema.parse({ after: url.searchParams.get("after"), before: url.searchParams.get("before") ?? undefined });
  const [accounts, waiting, letters, events] = await Promise.all([
    accountsPage(env.DB, query.after, ACCOUNTS_SHOWN),
    countWaiting(env.DB),
    deadLetters(env.DB, { limit: LETTERS_SHOWN, waitingOnly: true }),
    auditPage(env.DB, { beforeId: query.before, limit: EVENTS_SHOWN }),
  ]);
  const facts = await Promise.all(accounts.map((account) => factsOf(account, env)));
  return render(
    view,
    { title: text.title, status: told.bad === undefined ? 200 : 422 },
    <>
      <Heading title={text.title} />
      {told.bad === undefined ? null : <Notice kind="bad">{told.bad}</Notice>}
      {told.good === undefined ? null : <Notice kind="good">{told.good}</Notice>}
      <Figures view={view} facts={facts} waiting={waiting} />
      <div class="cards">
        <Letters view={view} letters={letters} waiting={waiting} />
        <Holds view={view} facts={facts} />
        <Accounts view={view} facts={facts} />
        <Audit view={view} events={events} />
      </div>
    </>,
  );
}

const reconcileForm = z.object({ id: accountIdSchema });
const reconciledSchema = z.object({
  accounts: z.array(
    z.looseObject({ account_id: z.string(), gaps: z.array(z.looseObject({ kind: z.string(), detail: z.string() })), repaired: z.number() }),
  ),
});

/** What was mended by it is told as good; whatever is left is named. */
async function reconcile(view: PersonView): Promise<Response> {
  const text = words(view.locale);
  const form = readForm(view, reconcileForm);
  if (!form.ok) return reliabilityPage(view, { bad: common(view.locale).notFound });
  const called = await callAsOperator(view, "/admin/reconcile", reconciledSchema, { body: { account_id: form.value.id } });
  if (!called.ok) return reliabilityPage(view, { bad: called.error.message });
  const [account] = called.value.accounts;
  const left = (account?.gaps ?? []).filter((gap) => gap.kind !== "missing" && gap.kind !== "usage_missing");
  const lines = [text.differs(form.value.id), ...left.map((gap) => `${gap.kind}: ${gap.detail}`)];
  if (left.length > 0) return reliabilityPage(view, { bad: lines.join(" ") });
  return reliabilityPage(view, { good: text.agrees(form.value.id, integer(account?.repaired ?? 0, view.locale)) });
}

async function replay(view: PersonView): Promise<Response> {
  const called = await callAsOperator(view, "/admin/dead-letters/replay", z.object({ replayed: z.number().int() }), { method: "POST" });
  return called.ok ? redirect(`${PATH}?replayed=${called.value.replayed}`) : reliabilityPage(view, { bad: called.error.message });
}

function showReliability(view: PersonView): Promise<Response> {
  const replayed = view.url.searchParams.get("replayed");
  const isCount = replayed !== null && /^\d{1,6}$/.test(replayed);
  return reliabilityPage(view, isCount ? { good: words(view.locale).replayed(integer(Number(replayed), view.locale)) } : {});
}

export const reliabilityPages: Page = {
  navigation: { path: "/reliability", icon: "reliability", label: { en: "Reliability", ru: "Надёжность" }, may: "operate" },
  routes: [
    { for: "operator", method: "GET", path: "/reliability", answer: showReliability },
    { for: "operator", method: "POST", path: "/reliability/reconcile", answer: reconcile },
    { for: "operator", method: "POST", path: "/reliability/replay", answer: replay },
  ],
};
