/** Keys: by project, made with their limits, shown once, taken back at once. */
import { z } from "zod";
import {
  insertProject,
  insertProjectKey,
  keysOfProjects,
  type KeyUse,
  type ProjectKey,
  projectsOf,
  type ProjectRow,
  useOfKeys,
} from "../../../db/projects.ts";
import { usageShards } from "../../../db/usage-shards.ts";
import { keyForm, type NewKeyForm, newKeyForm, projectForm } from "../../../schema/dashboard.ts";
import { accountOfKeyId, type KeyRow } from "../../../schema/key.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { toJsonNumber } from "../../../schema/money.ts";
import { readForm, sent } from "../frame/form.ts";
import { day, exactRoubles, instant, integer, roubles } from "../frame/format.ts";
import { callAsOperator } from "../frame/gateway-call.ts";
import { render } from "../frame/layout.tsx";
import { Card, Code, Empty, Field, FormToken, Heading, Notice, Select, Table } from "../frame/parts.tsx";
import { snippetsOf } from "../frame/snippets.ts";
import { type OrganisationView, type Page, redirect } from "../frame/view.ts";
import { bilingual, common } from "../frame/words.ts";
import { newId } from "../people/secrets.ts";

const words = bilingual({
  en: {
    title: "Keys",
    create: "New key",
    make: "Create the key",
    project: "Project",
    newProject: "New project",
    add: "Add",
    perDay: "Spend per day, ₽",
    perMonth: "Spend per month, ₽",
    noLimit: "Empty: no limit",
    rate: "Requests per minute",
    models: "Allowed models",
    modelsHint: "Names or patterns such as provider/*, between commas. Empty: all",
    expires: "Works until the end of",
    made: "This is the key. It is shown only now: copy it to where it is used.",
    try: "Try it",
    limits: "Limits",
    lastUsed: "Last used",
    spent: "Spent",
    revoke: "Revoke",
    revokeSure: "Revoke this key? Whatever uses it is refused from now on.",
    revoked: "revoked",
    expired: "expired",
    active: "active",
    never: "never",
    perDayShort: (amount: string) => `${amount} a day`,
    perMonthShort: (amount: string) => `${amount} a month`,
    rateShort: (count: string) => `${count} a minute`,
    until: (when: string) => `until ${when}`,
    done: "The key is revoked. It is refused from now on.",
    added: "The project is there.",
    duplicate: "There is a project of this name already.",
    wrong: (field: string) => `Check the field “${field}”.`,
    none: "No keys yet",
    noneWhy:
      "A key lets a program call models on this organisation's balance. Make one per program, so that each can be limited and revoked by itself.",
    playground: "playground",
  },
  ru: {
    title: "Ключи",
    create: "Новый ключ",
    make: "Создать ключ",
    project: "Проект",
    newProject: "Новый проект",
    add: "Добавить",
    perDay: "Расход за день, ₽",
    perMonth: "Расход за месяц, ₽",
    noLimit: "Пусто: без ограничения",
    rate: "Запросов в минуту",
    models: "Разрешённые модели",
    modelsHint: "Имена или шаблоны вида provider/*, через запятую. Пусто: все",
    expires: "Действует до конца дня",
    made: "Вот ключ. Он показан только сейчас: скопируйте его туда, где он нужен.",
    try: "Попробовать",
    limits: "Ограничения",
    lastUsed: "Использован",
    spent: "Потрачено",
    revoke: "Отозвать",
    revokeSure: "Отозвать ключ? Всё, что им пользуется, сразу получит отказ.",
    revoked: "отозван",
    expired: "истёк",
    active: "действует",
    never: "никогда",
    perDayShort: (amount: string) => `${amount} в день`,
    perMonthShort: (amount: string) => `${amount} в месяц`,
    rateShort: (count: string) => `${count} в минуту`,
    until: (when: string) => `до ${when}`,
    done: "Ключ отозван. С этого момента он не действует.",
    added: "Проект создан.",
    duplicate: "Проект с таким именем уже есть.",
    wrong: (field: string) => `Проверьте поле «${field}».`,
    none: "Ключей пока нет",
    noneWhy:
      "Ключ позволяет программе вызывать модели за счёт баланса организации. Заведите по ключу на программу, чтобы ограничивать и отзывать их порознь.",
    playground: "песочница",
  },
});

interface KeyFacts {
  row: KeyRow;
  owner: ProjectKey | null;
  project: ProjectRow | null;
  use: KeyUse | null;
}

async function factsOf(view: OrganisationView): Promise<{ keys: KeyFacts[]; projects: ProjectRow[] }> {
  const { env, organisation } = view;
  const shards = await usageShards(env);
  const [rows, owners, projects, uses] = await Promise.all([
    view.account.listKeys(),
    keysOfProjects(env.DB, organisation.id),
    projectsOf(env.DB, organisation.id),
    useOfKeys(shards.of(organisation.account_id), organisation.account_id),
  ]);
  const ownerOf = new Map(owners.map((owner) => [owner.key_id, owner]));
  const projectOf = new Map(projects.map((project) => [project.id, project]));
  const keys = rows.map((row): KeyFacts => {
    const owner = ownerOf.get(row.key_id) ?? null;
    return { row, owner, project: projectOf.get(owner?.project_id ?? "") ?? null, use: uses.get(row.key_id) ?? null };
  });
  // What still works comes first, then the newest.
  keys.sort((left, right) => Number(isOver(left.row)) - Number(isOver(right.row)) || right.row.created_at - left.row.created_at);
  return { keys, projects };
}

function isOver(row: KeyRow): boolean {
  return row.revoked_at !== null || (row.limits.expires_at !== null && Date.parse(row.limits.expires_at) < Date.now());
}

function limitTexts(view: OrganisationView, { limits }: KeyRow): string[] {
  const text = words(view.locale);
  const { spend_micro_rub_per_day: perDay, spend_micro_rub_per_month: perMonth, requests_per_minute: rate } = limits;
  return [
    ...(perDay === null ? [] : [text.perDayShort(roubles(perDay, view.locale))]),
    ...(perMonth === null ? [] : [text.perMonthShort(roubles(perMonth, view.locale))]),
    ...(rate === null ? [] : [text.rateShort(integer(rate, view.locale))]),
    ...(limits.allowed_models === null ? [] : [limits.allowed_models.join(", ")]),
    ...(limits.expires_at === null ? [] : [text.until(instant(Date.parse(limits.expires_at), view.locale, view.timeZone))]),
  ];
}

function KeyLine({ view, facts }: { view: OrganisationView; facts: KeyFacts }) {
  const text = words(view.locale);
  const { row, owner, project, use } = facts;
  const state = row.revoked_at !== null ? "revoked" : isOver(row) ? "expired" : "active";
  const limits = limitTexts(view, row);
  return (
    <tr>
      <td>
        <strong>{row.name}</strong>
        <div class="hint mono">{owner === null ? row.key_id.slice(-8) : `…${owner.ending}`}</div>
      </td>
      <td>{project?.name ?? "–"}</td>
      <td>
        <span class={`badge ${state === "active" ? "good" : ""}`}>{text[state]}</span>
      </td>
      <td class="breaks">{limits.length === 0 ? "–" : limits.map((limit) => <div>{limit}</div>)}</td>
      <td>{use === null ? text.never : day(use.last_day, view.locale)}</td>
      <td class="number">{use === null ? "–" : exactRoubles(use.charged_micro_rub, view.locale)}</td>
      <td class="number">
        {state !== "revoked" && view.may("keys.change") ? (
          <form method="post" action={view.href("/keys/revoke")} data-confirm={text.revokeSure}>
            <FormToken view={view} />
            <input type="hidden" name="key_id" value={row.key_id} />
            <button class="small danger" type="submit" aria-label={`${text.revoke}: ${row.name}`}>
              {text.revoke}
            </button>
          </form>
        ) : null}
      </td>
    </tr>
  );
}

function NewKey({ view, projects }: { view: OrganisationView; projects: readonly ProjectRow[] }) {
  const text = words(view.locale);
  const options = projects.map((project) => ({ value: project.id, label: project.name }));
  return (
    <Card title={text.create}>
      <form class="form grid" method="post" action={view.href("/keys")}>
        <FormToken view={view} />
        <Field label={common(view.locale).name} name="name" value={sent(view, "name")} required maxlength={LIMITS.personNameCharacters} />
        <Select label={text.project} name="project_id" options={options} value={sent(view, "project_id")} />
        <Field label={text.perDay} name="per_day" value={sent(view, "per_day")} inputmode="decimal" hint={text.noLimit} />
        <Field label={text.perMonth} name="per_month" value={sent(view, "per_month")} inputmode="decimal" hint={text.noLimit} />
        <Field
          label={text.rate}
          name="requests_per_minute"
          value={sent(view, "requests_per_minute")}
          inputmode="numeric"
          hint={text.noLimit}
        />
        <Field label={text.expires} name="expires" type="date" value={sent(view, "expires")} hint={text.noLimit} />
        <div class="whole">
          <Field label={text.models} name="models" value={sent(view, "models")} hint={text.modelsHint} />
        </div>
        <div class="whole">
          <button class="primary" type="submit">
            {text.make}
          </button>
        </div>
      </form>
      <details>
        <summary>{text.newProject}</summary>
        <form class="form inline" method="post" action={view.href("/projects")}>
          <FormToken view={view} />
          <div class="field">
            <label for="new-project">{common(view.locale).name}</label>
            <input id="new-project" name="name" required maxlength={LIMITS.personNameCharacters} />
          </div>
          <button type="submit">{text.add}</button>
        </form>
      </details>
    </Card>
  );
}

interface Told {
  bad?: string;
  good?: string;
  /** A key that was made just now. */
  made?: { key: string; model: string | null };
}

async function keysPage(view: OrganisationView, told: Told = {}): Promise<Response> {
  const text = words(view.locale);
  const shared = common(view.locale);
  const { keys, projects } = await factsOf(view);
  const head = [shared.name, text.project, shared.state, text.limits, text.lastUsed, `#${text.spent}`, ""];
  return render(
    view,
    { title: text.title, status: told.bad === undefined ? 200 : 422 },
    <>
      <Heading title={text.title} />
      {told.bad === undefined ? null : <Notice kind="bad">{told.bad}</Notice>}
      {told.good === undefined ? null : <Notice kind="good">{told.good}</Notice>}
      {told.made === undefined ? null : <MadeKey view={view} made={told.made} />}
      {keys.length === 0 ? (
        <Card>
          <Empty title={text.none}>
            <p>{text.noneWhy}</p>
          </Empty>
        </Card>
      ) : (
        <Card>
          <Table caption={text.title} head={head}>
            {keys.map((facts) => (
              <KeyLine view={view} facts={facts} />
            ))}
          </Table>
        </Card>
      )}
      {view.may("keys.change") ? <NewKey view={view} projects={projects} /> : null}
    </>,
  );
}

function MadeKey({ view, made }: { view: OrganisationView; made: { key: string; model: string | null } }) {
  const text = words(view.locale);
  const curl = snippetsOf({ origin: view.url.origin, key: made.key, model: made.model })[0];
  return (
    <Notice kind="good">
      <p>{text.made}</p>
      <Code view={view} text={made.key} label={text.title} />
      {curl === undefined ? null : (
        <details>
          <summary>{text.try}</summary>
          <Code view={view} text={curl.text} label={text.try} />
        </details>
      )}
    </Notice>
  );
}

/** The body of the gateway's own call: limits in its units. */
function bodyOf(form: NewKeyForm): unknown {
  const models = (form.models ?? "").split(/[\s,]+/).filter((model) => model !== "");
  return {
    name: form.name,
    limits: {
      ...(form.per_day === null ? {} : { spend_micro_rub_per_day: toJsonNumber(form.per_day) }),
      ...(form.per_month === null ? {} : { spend_micro_rub_per_month: toJsonNumber(form.per_month) }),
      ...(form.requests_per_minute === null ? {} : { requests_per_minute: form.requests_per_minute }),
      ...(models.length === 0 ? {} : { allowed_models: models }),
      ...(form.expires === null ? {} : { expires_at: `${form.expires}T23:59:59Z` }),
    },
  };
}

const createdSchema = z.object({ id: z.string(), key: z.string() });

async function createKey(view: OrganisationView): Promise<Response> {
  const text = words(view.locale);
  const { env, organisation, person } = view;
  const form = readForm(view, newKeyForm);
  if (!form.ok) return keysPage(view, { bad: text.wrong(fieldLabel(view, form.field)) });
  const projects = await projectsOf(env.DB, organisation.id);
  if (!projects.some((project) => project.id === form.value.project_id)) return keysPage(view, { bad: text.wrong(text.project) });
  const created = await callAsOperator(view, `/admin/accounts/${organisation.account_id}/keys`, createdSchema, {
    body: bodyOf(form.value),
  });
  if (!created.ok) return keysPage(view, { bad: created.error.message });
  const { id, key } = created.value;
  const owner = { key_id: id, project_id: form.value.project_id, created_by: person.id, ending: key.slice(-4) };
  await insertProjectKey(env.DB, organisation.id, owner, Date.now());
  return keysPage({ ...view, form: null }, { made: { key, model: form.value.models?.includes("*") === false ? form.value.models : null } });
}

function fieldLabel(view: OrganisationView, field: string): string {
  const text = words(view.locale);
  const names: Readonly<Record<string, string>> = {
    name: common(view.locale).name,
    project_id: text.project,
    per_day: text.perDay,
    per_month: text.perMonth,
    requests_per_minute: text.rate,
    models: text.models,
    expires: text.expires,
  };
  return names[field] ?? field;
}

/** A key of another account is not there: its id says whose it is. */
async function revokeKey(view: OrganisationView): Promise<Response> {
  const form = readForm(view, keyForm);
  const isOwn = form.ok && accountOfKeyId(form.value.key_id) === view.organisation.account_id;
  if (!isOwn || !(await view.account.revokeKey(form.value.key_id))) return keysPage(view, { bad: common(view.locale).notFound });
  return redirect(view.href("/keys?done=revoked"));
}

async function createProject(view: OrganisationView): Promise<Response> {
  const text = words(view.locale);
  const form = readForm(view, projectForm);
  if (!form.ok) return keysPage(view, { bad: text.wrong(common(view.locale).name) });
  const project = { id: newId("prj"), name: form.value.name, created_at: Date.now() };
  const isNew = await insertProject(view.env.DB, view.organisation.id, project, LIMITS.projectsPerOrganisation);
  return isNew ? redirect(view.href("/keys?done=project")) : keysPage(view, { bad: text.duplicate });
}

function showKeys(view: OrganisationView): Promise<Response> {
  const text = words(view.locale);
  const done = view.url.searchParams.get("done");
  return keysPage(view, done === "revoked" ? { good: text.done } : done === "project" ? { good: text.added } : {});
}

export const keysPages: Page = {
  navigation: { path: "/keys", icon: "keys", label: { en: "Keys", ru: "Ключи" }, may: "keys.view" },
  routes: [
    { for: "organisation", method: "GET", path: "/keys", may: "keys.view", answer: showKeys },
    { for: "organisation", method: "POST", path: "/keys", may: "keys.change", answer: createKey },
    { for: "organisation", method: "POST", path: "/keys/revoke", may: "keys.change", answer: revokeKey },
    { for: "organisation", method: "POST", path: "/projects", may: "keys.change", answer: createProject },
  ],
};
