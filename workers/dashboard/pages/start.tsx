/** Where everybody begins: off to the one organisation, or a choice of several, or a first one; and the reader's preferences. */
import { organisationForm, preferencesForm } from "../../../schema/dashboard.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { readForm } from "../frame/form.ts";
import { render } from "../frame/layout.tsx";
import { Card, Field, FormToken, Heading, Notice } from "../frame/parts.tsx";
import { preferenceCookie } from "../frame/preferences.ts";
import { type Page, type PersonView, redirect, type View } from "../frame/view.ts";
import { bilingual, common } from "../frame/words.ts";
import { isInvitedOnly } from "../people/auth.ts";
import { foundOrganisation } from "../people/organisations.ts";
import { nextPath } from "./sign-in.tsx";

const words = bilingual({
  en: {
    title: "Organisations",
    none: "You belong to no organisation yet. Make one, or ask for an invitation to one.",
    noneInvited: "You belong to no organisation yet. Ask an owner of one to invite you.",
    create: "New organisation",
    make: "Create",
    tooMany: "You belong to as many organisations as one person may.",
  },
  ru: {
    title: "Организации",
    none: "Вы пока не состоите ни в одной организации. Создайте свою или попросите приглашение.",
    noneInvited: "Вы пока не состоите ни в одной организации. Попросите владельца вас пригласить.",
    create: "Новая организация",
    make: "Создать",
    tooMany: "Вы уже состоите в наибольшем допустимом числе организаций.",
  },
});

function organisationsPage(view: PersonView, bad?: string): Promise<Response> {
  const text = words(view.locale);
  const shared = common(view.locale);
  const { memberships } = view.person;
  const mayFound = !isInvitedOnly(view.env) || view.person.isOperator;
  return render(
    view,
    { title: text.title, status: bad === undefined ? 200 : 422 },
    <>
      <Heading title={text.title} />
      {bad === undefined ? null : <Notice kind="bad">{bad}</Notice>}
      {memberships.length === 0 ? <p>{mayFound ? text.none : text.noneInvited}</p> : null}
      <ul class="cards">
        {memberships.map((each) => (
          <li class="card">
            <h2>
              <a href={`/app/${each.id}`}>{each.name}</a>
            </h2>
            <p class="muted">{shared.roles[each.role]}</p>
          </li>
        ))}
      </ul>
      {mayFound ? (
        <Card title={text.create}>
          <form class="form inline" method="post" action="/organisations">
            <FormToken view={view} />
            <Field label={shared.name} name="name" required maxlength={LIMITS.personNameCharacters} />
            <button type="submit">{text.make}</button>
          </form>
        </Card>
      ) : null}
    </>,
  );
}

function start(view: PersonView): Response | Promise<Response> {
  const [first, second] = view.person.memberships;
  return first !== undefined && second === undefined && !view.url.searchParams.has("all")
    ? redirect(`/app/${first.id}`)
    : organisationsPage(view);
}

async function found(view: PersonView): Promise<Response> {
  if (isInvitedOnly(view.env) && !view.person.isOperator) return organisationsPage(view);
  const form = readForm(view, organisationForm);
  if (!form.ok) return organisationsPage(view, common(view.locale).invalid(common(view.locale).name, form.why));
  if (view.person.memberships.length >= LIMITS.organisationsPerPerson) return organisationsPage(view, words(view.locale).tooMany);
  return redirect(`/app/${await foundOrganisation(view.env, form.value.name, view.person.id)}`);
}

function setPreferences(view: View): Response {
  const form = readForm(view, preferencesForm);
  if (!form.ok) return redirect("/app");
  const { language, theme, next } = form.value;
  if (language !== undefined) view.cookies.push(preferenceCookie("language", language, view.isSecure));
  if (theme !== undefined) view.cookies.push(preferenceCookie("theme", theme, view.isSecure));
  return redirect(nextPath(next));
}

export const startPages: Page = {
  routes: [
    { for: "anybody", method: "GET", path: "/", answer: (view) => redirect(view.person === null ? "/sign-in" : "/app") },
    { for: "anybody", method: "POST", path: "/preferences", answer: setPreferences },
    { for: "person", method: "GET", path: "/app", answer: start },
    { for: "person", method: "POST", path: "/organisations", answer: found },
  ],
};
