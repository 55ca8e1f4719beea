/** The door: sign-in by password, passkey or an outside provider, the second factor, the demo's link, and the way out. */
import { isLinkUsable } from "../../../db/sign-in.ts";
import { linkTokenSchema, ownPathSchema, secondFactorForm, signInForm } from "../../../schema/dashboard.ts";
import { readForm, sent } from "../frame/form.ts";
import { render } from "../frame/layout.tsx";
import { Field, FormToken, Notice } from "../frame/parts.tsx";
import { refuse } from "../frame/refusals.tsx";
import { type Page, redirect, type View } from "../frame/view.ts";
import { bilingual, common } from "../frame/words.ts";
import { callAuth, isInvitedOnly } from "../people/auth.ts";
import { forgetTries, mayTry } from "../people/guard.ts";
import { OPEN_SESSION_PATH } from "../people/open-session.ts";
import { DEMO_PERSON, joinDemoOrganisation } from "../people/organisations.ts";
import { outsideOrigins, outsideSignIns } from "../people/outside-sign-in.ts";
import { hashOf } from "../people/secrets.ts";

const words = bilingual({
  en: {
    title: "Sign in",
    with: (name: string) => `Continue with ${name}`,
    passkey: "Sign in with a passkey",
    passkeyFailed: "The passkey was not accepted. Try again, or use your password.",
    or: "or",
    wrong: "The e-mail or the password is not right. Check both and try again.",
    refused: "The provider did not sign you in. Try again, or use another way.",
    remember: "Stay signed in on this device",
    new: "New here?",
    ended: "This link is no longer good. Start the system again to get a new one, or sign in here.",
    second: "Second step",
    secondWhy: "Enter the code your authenticator app shows, or one of your backup codes.",
    code: "Code",
    backup: "It is a backup code",
    trust: "Do not ask on this device for 30 days",
    wrongCode: "This code is not right, or was used already. Codes change every 30 seconds.",
  },
  ru: {
    title: "Вход",
    with: (name: string) => `Продолжить через ${name}`,
    passkey: "Войти с ключом доступа",
    passkeyFailed: "Ключ доступа не подошёл. Повторите или войдите с паролем.",
    or: "или",
    wrong: "Почта или пароль неверны. Проверьте и попробуйте снова.",
    refused: "Провайдер не подтвердил вход. Повторите или войдите иначе.",
    remember: "Не выходить на этом устройстве",
    new: "Впервые здесь?",
    ended: "Ссылка больше не действует. Запустите систему снова, чтобы получить новую, или войдите здесь.",
    second: "Второй шаг",
    secondWhy: "Введите код из приложения-аутентификатора или один из запасных кодов.",
    code: "Код",
    backup: "Это запасной код",
    trust: "Не спрашивать на этом устройстве 30 дней",
    wrongCode: "Код неверен или уже использован. Коды меняются каждые 30 секунд.",
  },
});

/** A path of ours to go on to; anything else leads to the start. */
export function nextPath(text: string | null | undefined): string {
  const path = ownPathSchema.safeParse(text);
  return path.success ? path.data : "/app";
}

function signInPage(view: View, facts: { bad?: string; status?: number } = {}): Promise<Response> {
  const text = words(view.locale);
  const shared = common(view.locale);
  const outside = outsideSignIns(view.env);
  const next = nextPath(view.url.searchParams.get("next") ?? sent(view, "next"));
  const page = { title: text.title, status: facts.status ?? 200, islands: ["passkey.js"], formOrigins: outsideOrigins(outside) } as const;
  return render(
    view,
    page,
    <>
      <h1>{text.title}</h1>
      {facts.bad === undefined ? null : <Notice kind="bad">{facts.bad}</Notice>}
      <form class="form" method="post" action="/sign-in">
        <FormToken view={view} />
        <input type="hidden" name="next" value={next} />
        <Field label={shared.email} name="email" type="email" value={sent(view, "email")} autocomplete="username webauthn" required />
        <Field label={shared.password} name="password" type="password" autocomplete="current-password" required />
        <label class="check">
          <input type="checkbox" name="remember" checked /> {text.remember}
        </label>
        <button class="primary" type="submit">
          {shared.signIn}
        </button>
      </form>
      <div class="stack">
        <p class="or">{text.or}</p>
        <button type="button" data-passkey="authenticate" data-next={next} hidden>
          {text.passkey}
        </button>
        <p class="notice bad" id="passkey-message" role="alert" hidden>
          {text.passkeyFailed}
        </p>
        {outside.map(({ id, label }) => (
          <form class="form" method="post" action="/sign-in/outside">
            <FormToken view={view} />
            <input type="hidden" name="next" value={next} />
            <input type="hidden" name="provider" value={id} />
            <button type="submit">{text.with(label)}</button>
          </form>
        ))}
      </div>
      {isInvitedOnly(view.env) ? null : (
        <p class="muted">
          {text.new} <a href="/sign-up">{shared.signUp}</a>
        </p>
      )}
    </>,
  );
}

function showSignIn(view: View): Response | Promise<Response> {
  if (view.person !== null) return redirect(nextPath(view.url.searchParams.get("next")));
  const text = words(view.locale);
  const { searchParams } = view.url;
  if (searchParams.has("ended")) return signInPage(view, { bad: text.ended });
  return signInPage(view, searchParams.has("error") ? { bad: text.refused } : {});
}

async function signIn(view: View): Promise<Response> {
  const text = words(view.locale);
  const form = readForm(view, signInForm);
  if (!form.ok) return signInPage(view, { bad: text.wrong, status: 422 });
  const { email, password, remember } = form.value;
  if (!(await mayTry("sign-in", email, view.request, view.env))) return refuse(view, "tooMany");
  const answer = await callAuth(view, "/sign-in/email", { email, password, rememberMe: remember });
  if (!answer.ok) return signInPage(view, { bad: text.wrong, status: 401 });
  view.cookies.push(...answer.cookies);
  await forgetTries("sign-in", email, view.env);
  const next = nextPath(form.value.next);
  return redirect(answer.body["twoFactorRedirect"] === true ? `/sign-in/second-factor?next=${encodeURIComponent(next)}` : next);
}

async function signInOutside(view: View): Promise<Response> {
  const provider = sent(view, "provider");
  const next = nextPath(sent(view, "next"));
  const answer = await callAuth(view, "/sign-in/social", { provider, callbackURL: next, errorCallbackURL: "/sign-in?error=1" });
  const url = answer.body["url"];
  if (!answer.ok || typeof url !== "string") return signInPage(view, { bad: words(view.locale).refused, status: 400 });
  view.cookies.push(...answer.cookies);
  return redirect(url);
}

function secondFactorPage(view: View, bad?: string): Promise<Response> {
  const text = words(view.locale);
  const facts = { title: text.second, status: bad === undefined ? 200 : 401 };
  return render(
    view,
    facts,
    <>
      <h1>{text.second}</h1>
      <p>{text.secondWhy}</p>
      {bad === undefined ? null : <Notice kind="bad">{bad}</Notice>}
      <form class="form" method="post" action="/sign-in/second-factor">
        <FormToken view={view} />
        <input type="hidden" name="next" value={nextPath(view.url.searchParams.get("next") ?? sent(view, "next"))} />
        <Field label={text.code} name="code" autocomplete="one-time-code" required autofocus />
        <label class="check">
          <input type="checkbox" name="backup" /> {text.backup}
        </label>
        <label class="check">
          <input type="checkbox" name="trust" /> {text.trust}
        </label>
        <button class="primary" type="submit">
          {common(view.locale).signIn}
        </button>
      </form>
    </>,
  );
}

async function secondFactor(view: View): Promise<Response> {
  const text = words(view.locale);
  const form = readForm(view, secondFactorForm);
  if (!form.ok) return secondFactorPage(view, text.wrongCode);
  // The library counts the tries of one sign-in; this counts those of whoever signs in again and again.
  if (!(await mayTry("second-factor", null, view.request, view.env))) return refuse(view, "tooMany");
  const path = form.value.backup ? "/two-factor/verify-backup-code" : "/two-factor/verify-totp";
  const answer = await callAuth(view, path, { code: form.value.code, trustDevice: form.value.trust });
  view.cookies.push(...answer.cookies);
  return answer.ok ? redirect(nextPath(form.value.next)) : secondFactorPage(view, text.wrongCode);
}

/** The link of `npm start`: opening it is enough, since whoever can read it has the machine anyway. */
async function demo(view: View): Promise<Response> {
  const token = linkTokenSchema.safeParse(view.url.searchParams.get("token"));
  const mayEnter = await mayTry("link", null, view.request, view.env);
  const isGood = token.success && mayEnter && (await isLinkUsable(view.env.DB, hashOf(token.data), "demo", Date.now()));
  if (!isGood || view.env.PLYRUM_DEMO_KEY === undefined) return redirect("/sign-in?ended=1");
  const answer = await callAuth({ ...view, isNobody: true }, OPEN_SESSION_PATH, DEMO_PERSON);
  const id = answer.body["id"];
  if (typeof id !== "string") throw new Error("the demo's session was not opened");
  const organisation = await joinDemoOrganisation(view.env, id);
  view.cookies.push(...answer.cookies);
  return redirect(`/app/${organisation}`);
}

async function signOut(view: View): Promise<Response> {
  const answer = await callAuth(view, "/sign-out", {});
  view.cookies.push(...answer.cookies);
  return redirect("/sign-in");
}

export const signInPages: Page = {
  routes: [
    { for: "anybody", method: "GET", path: "/sign-in", answer: showSignIn },
    { for: "anybody", method: "POST", path: "/sign-in", answer: signIn },
    { for: "anybody", method: "POST", path: "/sign-in/outside", answer: signInOutside },
    { for: "anybody", method: "GET", path: "/sign-in/second-factor", answer: (view) => secondFactorPage(view) },
    { for: "anybody", method: "POST", path: "/sign-in/second-factor", answer: secondFactor },
    { for: "anybody", method: "GET", path: "/sign-in/demo", answer: demo },
    { for: "anybody", method: "POST", path: "/sign-out", answer: signOut },
  ],
};
