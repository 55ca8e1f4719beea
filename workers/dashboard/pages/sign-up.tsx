/** How somebody becomes a person here: by themselves where that is open, by an invitation, or as the first owner by the link of the start. */
import { acceptInvitation, findInvitation, findOrganisation, type InvitationRow } from "../../../db/organisations.ts";
import { becomeFirstOperator } from "../../../db/people.ts";
import { isLinkUsable, useLink } from "../../../db/sign-in.ts";
import { acceptForm, linkTokenSchema, ownerForm, signUpForm } from "../../../schema/dashboard.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { readForm, sent } from "../frame/form.ts";
import { render } from "../frame/layout.tsx";
import { Field, FormToken, Notice } from "../frame/parts.tsx";
import { refuse } from "../frame/refusals.tsx";
import { type Page, redirect, type View } from "../frame/view.ts";
import { bilingual, common } from "../frame/words.ts";
import { callAuth, isInvitedOnly } from "../people/auth.ts";
import { mayTry } from "../people/guard.ts";
import { foundOrganisation } from "../people/organisations.ts";
import { hashOf } from "../people/secrets.ts";

const words = bilingual({
  en: {
    title: "Create an account",
    welcome: "Make this installation yours",
    welcomeWhy:
      "You are the first one here. The account you create now runs this installation: its prices, its providers, everybody's organisations.",
    organisation: "Organisation",
    organisationHint: "It owns the balance and the keys. You can invite others to it.",
    passwordHint: `At least ${LIMITS.passwordCharactersMin} characters. A few words in a row are easier to remember than one odd one.`,
    create: "Create",
    taken: "There is an account with this e-mail already. Sign in instead.",
    weak: "The password was not accepted. Take a longer one.",
    wrongField: (field: string) => `Check the field “${field}”.`,
    have: "You have an account?",
    invited: (organisation: string) => `Join ${organisation}`,
    invitedAs: (role: string) => `You are invited as: ${role}.`,
    otherAddress: (email: string) => `This invitation is for ${email}. Sign in with that address to accept it.`,
    join: "Join",
    ended: "This invitation is no longer good",
    endedWhy: "It was used, taken back, or is too old. Ask for a new one.",
  },
  ru: {
    title: "Новая учётная запись",
    welcome: "Установка становится вашей",
    welcomeWhy: "Вы здесь первый. Учётная запись, которую вы создаёте, управляет установкой: ценами, провайдерами и всеми организациями.",
    organisation: "Организация",
    organisationHint: "Ей принадлежат баланс и ключи. В неё можно пригласить других.",
    passwordHint: `Не меньше ${LIMITS.passwordCharactersMin} знаков. Несколько слов подряд запомнить легче, чем одно мудрёное.`,
    create: "Создать",
    taken: "Учётная запись с этой почтой уже есть. Войдите.",
    weak: "Пароль не принят. Возьмите длиннее.",
    wrongField: (field: string) => `Проверьте поле «${field}».`,
    have: "Уже есть учётная запись?",
    invited: (organisation: string) => `Присоединиться: ${organisation}`,
    invitedAs: (role: string) => `Вас приглашают с ролью: ${role}.`,
    otherAddress: (email: string) => `Приглашение выписано на ${email}. Войдите с этим адресом, чтобы его принять.`,
    join: "Присоединиться",
    ended: "Приглашение больше не действует",
    endedWhy: "Оно использовано, отозвано или устарело. Попросите новое.",
  },
});

type SignedUp = { ok: true; id: string } | { ok: false; why: string };

/** Makes a person with a password and signs them in. */
async function signUpPerson(view: View, person: { name: string; email: string; password: string }): Promise<SignedUp> {
  const text = words(view.locale);
  const answer = await callAuth({ ...view, isNobody: true }, "/sign-up/email", person);
  const user: unknown = answer.body["user"];
  if (answer.ok && typeof user === "object" && user !== null && "id" in user && typeof user.id === "string") {
    view.cookies.push(...answer.cookies);
    return { ok: true, id: user.id };
  }
  return { ok: false, why: String(answer.body["code"]).startsWith("USER_ALREADY_EXISTS") ? text.taken : text.weak };
}

function PersonFields({ view, email }: { view: View; email?: string | null }) {
  const shared = common(view.locale);
  return (
    <>
      <Field
        label={shared.name}
        name="name"
        value={sent(view, "name")}
        autocomplete="name"
        required
        maxlength={LIMITS.personNameCharacters}
      />
      {typeof email === "string" ? (
        <input type="hidden" name="email" value={email} />
      ) : (
        <Field label={shared.email} name="email" type="email" value={sent(view, "email")} autocomplete="username" required />
      )}
      <Field
        label={shared.password}
        name="password"
        type="password"
        autocomplete="new-password"
        required
        minlength={LIMITS.passwordCharactersMin}
        hint={words(view.locale).passwordHint}
      />
    </>
  );
}

function OrganisationField({ view }: { view: View }) {
  const text = words(view.locale);
  return (
    <Field
      label={text.organisation}
      name="organisation"
      value={sent(view, "organisation")}
      autocomplete="organization"
      required
      hint={text.organisationHint}
    />
  );
}

function fieldName(view: View, field: string): string {
  const shared = common(view.locale);
  const names: Readonly<Record<string, string>> = {
    name: shared.name,
    email: shared.email,
    password: shared.password,
    organisation: words(view.locale).organisation,
  };
  return words(view.locale).wrongField(names[field] ?? field);
}

function HaveAccount({ view, next }: { view: View; next?: string }) {
  return (
    <p class="muted">
      {words(view.locale).have}{" "}
      <a href={next === undefined ? "/sign-in" : `/sign-in?next=${encodeURIComponent(next)}`}>{common(view.locale).signIn}</a>
    </p>
  );
}

function signUpPage(view: View, bad?: string): Promise<Response> {
  const text = words(view.locale);
  return render(
    view,
    { title: text.title, status: bad === undefined ? 200 : 422 },
    <>
      <h1>{text.title}</h1>
      {bad === undefined ? null : <Notice kind="bad">{bad}</Notice>}
      <form class="form" method="post" action="/sign-up">
        <FormToken view={view} />
        <PersonFields view={view} />
        <OrganisationField view={view} />
        <button class="primary" type="submit">
          {text.create}
        </button>
      </form>
      <HaveAccount view={view} />
    </>,
  );
}

function showSignUp(view: View): Response | Promise<Response> {
  if (view.person !== null) return redirect("/app");
  return isInvitedOnly(view.env) ? refuse(view, "notFound") : signUpPage(view);
}

async function signUp(view: View): Promise<Response> {
  if (isInvitedOnly(view.env)) return refuse(view, "notFound");
  const form = readForm(view, signUpForm);
  if (!form.ok) return signUpPage(view, fieldName(view, form.field));
  if (!(await mayTry("sign-up", null, view.request, view.env))) return refuse(view, "tooMany");
  const { organisation, ...person } = form.value;
  const signed = await signUpPerson(view, person);
  if (!signed.ok) return signUpPage(view, signed.why);
  return redirect(`/app/${await foundOrganisation(view.env, organisation ?? person.name, signed.id)}`);
}

async function welcomePage(view: View, bad?: string): Promise<Response> {
  const text = words(view.locale);
  const token = linkTokenSchema.safeParse(view.url.searchParams.get("token") ?? sent(view, "token"));
  const isGood = token.success && (await isLinkUsable(view.env.DB, hashOf(token.data), "first-owner", Date.now()));
  if (!isGood) return redirect("/sign-in?ended=1");
  return render(
    view,
    { title: text.welcome, status: bad === undefined ? 200 : 422 },
    <>
      <h1>{text.welcome}</h1>
      <p>{text.welcomeWhy}</p>
      {bad === undefined ? null : <Notice kind="bad">{bad}</Notice>}
      <form class="form" method="post" action="/welcome">
        <FormToken view={view} />
        <input type="hidden" name="token" value={token.data} />
        {view.person === null ? <PersonFields view={view} /> : <p>{view.person.email}</p>}
        <OrganisationField view={view} />
        <button class="primary" type="submit">
          {text.create}
        </button>
      </form>
    </>,
  );
}

/** Who fills the form in: who is signed in, or the new person it describes. */
async function personOf(
  view: View,
  given: { name?: string | undefined; email?: string | null | undefined; password?: string | undefined },
): Promise<({ ok: true; email: string } & SignedUp) | { ok: false; why: string }> {
  if (view.person !== null) return { ok: true, id: view.person.id, email: view.person.email };
  const { name, email, password } = given;
  if (name === undefined || typeof email !== "string" || password === undefined)
    return { ok: false, why: fieldName(view, name === undefined ? "name" : password === undefined ? "password" : "email") };
  const signed = await signUpPerson(view, { name, email, password });
  return signed.ok ? { ...signed, email } : signed;
}

/** The link is used up in the same breath as its person becomes the owner: of two who open it, one does. */
async function welcome(view: View): Promise<Response> {
  const { env } = view;
  if (!(await mayTry("link", null, view.request, env))) return refuse(view, "tooMany");
  const token = linkTokenSchema.safeParse(sent(view, "token"));
  const now = Date.now();
  if (!token.success || !(await isLinkUsable(env.DB, hashOf(token.data), "first-owner", now))) return redirect("/sign-in?ended=1");
  const form = readForm(view, ownerForm);
  if (!form.ok) return welcomePage(view, fieldName(view, form.field));
  const person = await personOf(view, form.value);
  if (!person.ok) return welcomePage(view, person.why);
  const isFirst = (await useLink(env.DB, hashOf(token.data), "first-owner", now)) && (await becomeFirstOperator(env.DB, person.id, now));
  if (!isFirst) return redirect("/sign-in?ended=1");
  return redirect(`/app/${await foundOrganisation(env, form.value.organisation, person.id)}`);
}

interface FoundInvitation {
  invitation: InvitationRow;
  organisation: string;
  tokenHash: string;
  token: string;
}

async function invitationOf(view: View): Promise<FoundInvitation | null> {
  const token = linkTokenSchema.safeParse(view.params["token"]);
  if (!token.success) return null;
  const tokenHash = hashOf(token.data);
  const invitation = await findInvitation(view.env.DB, tokenHash, Date.now());
  const organisation = invitation === null ? null : await findOrganisation(view.env.DB, invitation.organisation_id);
  return invitation === null || organisation === null
    ? null
    : { invitation, organisation: organisation.name, tokenHash, token: token.data };
}

function endedPage(view: View): Promise<Response> {
  const text = words(view.locale);
  return render(
    view,
    { title: text.ended, status: 404 },
    <>
      <h1>{text.ended}</h1>
      <p>{text.endedWhy}</p>
    </>,
  );
}

function invitationPage(view: View, found: FoundInvitation, bad?: string): Promise<Response> {
  const text = words(view.locale);
  const { invitation, organisation, token } = found;
  const title = text.invited(organisation);
  const isOther = view.person !== null && invitation.email !== null && invitation.email !== view.person.email;
  return render(
    view,
    { title, status: bad === undefined ? 200 : 422 },
    <>
      <h1>{title}</h1>
      <p>{text.invitedAs(common(view.locale).roles[invitation.role])}</p>
      {bad === undefined ? null : <Notice kind="bad">{bad}</Notice>}
      {isOther ? <Notice kind="note">{text.otherAddress(invitation.email ?? "")}</Notice> : null}
      <form class="form" method="post" action={`/invite/${token}`}>
        <FormToken view={view} />
        <input type="hidden" name="token" value={token} />
        {view.person === null ? <PersonFields view={view} email={invitation.email} /> : null}
        <button class="primary" type="submit" disabled={isOther}>
          {text.join}
        </button>
      </form>
      {view.person === null ? <HaveAccount view={view} next={`/invite/${token}`} /> : null}
    </>,
  );
}

async function showInvitation(view: View): Promise<Response> {
  const found = await invitationOf(view);
  return found === null ? endedPage(view) : invitationPage(view, found);
}

async function accept(view: View): Promise<Response> {
  const text = words(view.locale);
  if (!(await mayTry("link", null, view.request, view.env))) return refuse(view, "tooMany");
  const found = await invitationOf(view);
  if (found === null) return endedPage(view);
  const { invitation, tokenHash } = found;
  const form = readForm(view, acceptForm);
  if (!form.ok) return invitationPage(view, found, fieldName(view, form.field));
  const person = await personOf(view, { ...form.value, email: invitation.email ?? form.value.email });
  if (!person.ok) return invitationPage(view, found, person.why);
  if (invitation.email !== null && invitation.email !== person.email)
    return invitationPage(view, found, text.otherAddress(invitation.email));
  const isIn = await acceptInvitation(view.env.DB, tokenHash, person, Date.now());
  return isIn ? redirect(`/app/${invitation.organisation_id}`) : endedPage(view);
}

export const signUpPages: Page = {
  routes: [
    { for: "anybody", method: "GET", path: "/sign-up", answer: showSignUp },
    { for: "anybody", method: "POST", path: "/sign-up", answer: signUp },
    { for: "anybody", method: "GET", path: "/welcome", answer: (view) => welcomePage(view) },
    { for: "anybody", method: "POST", path: "/welcome", answer: welcome },
    { for: "anybody", method: "GET", path: "/invite/:token", answer: showInvitation },
    { for: "anybody", method: "POST", path: "/invite/:token", answer: accept },
  ],
};
