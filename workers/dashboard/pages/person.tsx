/** The reader's own account: name, password, passkeys, the second factor, and where they are signed in. */
import { deletePasskey, endSessions, hasPassword, passkeysOf, renamePerson, sessionsOf } from "../../../db/people.ts";
import { codeForm, passkeyForm, passwordForm, passwordOnlyForm, profileForm, sessionForm } from "../../../schema/dashboard.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { readForm } from "../frame/form.ts";
import { render } from "../frame/layout.tsx";
import { Card, Code, Field, FormToken, Heading, Instant, Notice, Table } from "../frame/parts.tsx";
import { refuse } from "../frame/refusals.tsx";
import { type Page, type PersonView, redirect } from "../frame/view.ts";
import { bilingual, common } from "../frame/words.ts";
import { callAuth } from "../people/auth.ts";
import { mayTry } from "../people/guard.ts";

const words = bilingual({
  en: {
    title: "Your account",
    profile: "Profile",
    password: "Password",
    current: "Current password",
    new: "New password",
    change: "Change the password",
    changed: "The password is changed, and you are signed out everywhere else.",
    notChanged: "Nothing was changed: the current password is not right, or the new one is too short.",
    noPassword: "You sign in without a password.",
    passkeys: "Passkeys",
    passkeysWhy: "A passkey signs you in with this device's own lock, and cannot be phished.",
    addPasskey: "Add a passkey of this device",
    passkeyFailed: "No passkey was added. The device or the browser refused.",
    passkeyName: "Passkey",
    delete: "Delete",
    second: "Second factor",
    secondWhy: "After the password, a code from an authenticator app is asked for.",
    secondOn: "The second factor is on.",
    turnOn: "Turn on",
    turnOff: "Turn off",
    scan: "Enter this key in your authenticator app, or open the link on the device that has it:",
    openApp: "Open in the app",
    backup: "Backup codes. Each works once, when the app is not at hand. They are shown only now:",
    code: "The code the app shows",
    confirm: "Confirm",
    wrongCode: "The code is not right. The key above is still good: enter the next code.",
    wrongPassword: "The password is not right.",
    sessions: "Where you are signed in",
    thisOne: "this one",
    end: "Sign out",
    endAll: "Sign out everywhere",
    device: "Device",
    lastSeen: "Last seen",
    unknownDevice: "unknown",
  },
  ru: {
    title: "Ваш профиль",
    profile: "Профиль",
    password: "Пароль",
    current: "Нынешний пароль",
    new: "Новый пароль",
    change: "Сменить пароль",
    changed: "Пароль сменён, на остальных устройствах вы вышли.",
    notChanged: "Ничего не изменено: нынешний пароль неверен или новый слишком короток.",
    noPassword: "Вы входите без пароля.",
    passkeys: "Ключи доступа",
    passkeysWhy: "Ключ доступа впускает вас по замку этого устройства; его нельзя выманить.",
    addPasskey: "Добавить ключ этого устройства",
    passkeyFailed: "Ключ не добавлен: устройство или браузер отказали.",
    passkeyName: "Ключ доступа",
    delete: "Удалить",
    second: "Второй фактор",
    secondWhy: "После пароля спрашивается код из приложения-аутентификатора.",
    secondOn: "Второй фактор включён.",
    turnOn: "Включить",
    turnOff: "Выключить",
    scan: "Введите этот ключ в приложение-аутентификатор или откройте ссылку на устройстве, где оно стоит:",
    openApp: "Открыть в приложении",
    backup: "Запасные коды. Каждый сработает один раз, если приложения нет под рукой. Показаны только сейчас:",
    code: "Код из приложения",
    confirm: "Подтвердить",
    wrongCode: "Код неверен. Ключ выше по-прежнему годится: введите следующий код.",
    wrongPassword: "Пароль неверен.",
    sessions: "Где вы вошли",
    thisOne: "здесь",
    end: "Выйти",
    endAll: "Выйти везде",
    device: "Устройство",
    lastSeen: "Был виден",
    unknownDevice: "неизвестно",
  },
});

interface Told {
  bad?: string;
  good?: string;
  /** A second factor that waits for its first code. */
  secondFactor?: { uri: string; codes: string[] };
}

/** "Firefox on Linux", from what a browser says of itself. */
export function deviceOf(userAgent: string | null): string | null {
  if (userAgent === null) return null;
  const browser = /(Edg|OPR|YaBrowser|Firefox|Chrome|Safari)\//.exec(userAgent)?.[1];
  const system = /(Android|iPhone|iPad|Windows|Mac OS X|Linux)/.exec(userAgent)?.[1];
  const names: Readonly<Record<string, string>> = { Edg: "Edge", OPR: "Opera", "Mac OS X": "macOS" };
  const parts = [browser, system].flatMap((part) => (part === undefined ? [] : [names[part] ?? part]));
  return parts.length === 0 ? userAgent.slice(0, 40) : parts.join(" · ");
}

function Password({ view, has }: { view: PersonView; has: boolean }) {
  const text = words(view.locale);
  return (
    <Card title={text.password}>
      {has ? (
        <form class="form" method="post" action="/me/password">
          <FormToken view={view} />
          <input type="text" name="username" value={view.person.email} autocomplete="username" hidden />
          <Field label={text.current} name="current" type="password" autocomplete="current-password" required />
          <Field
            label={text.new}
            name="password"
            type="password"
            autocomplete="new-password"
            required
            minlength={LIMITS.passwordCharactersMin}
          />
          <button type="submit">{text.change}</button>
        </form>
      ) : (
        <p class="muted">{text.noPassword}</p>
      )}
    </Card>
  );
}

async function Passkeys({ view }: { view: PersonView }) {
  const text = words(view.locale);
  const passkeys = await passkeysOf(view.env.DB, view.person.id);
  const name = deviceOf(view.request.headers.get("user-agent")) ?? text.passkeyName;
  return (
    <Card title={text.passkeys}>
      <p class="muted">{text.passkeysWhy}</p>
      <ul class="stack">
        {passkeys.map((passkey) => (
          <li class="between">
            <span>
              {passkey.name ?? text.passkeyName}
              {passkey.createdAt === null ? null : (
                <span class="hint">
                  {" "}
                  <Instant view={view} at={Date.parse(passkey.createdAt)} />
                </span>
              )}
            </span>
            <form method="post" action="/me/passkeys/delete">
              <FormToken view={view} />
              <input type="hidden" name="id" value={passkey.id} />
              <button class="small danger" type="submit">
                {text.delete}
              </button>
            </form>
          </li>
        ))}
      </ul>
      <p class="notice bad" id="passkey-message" role="alert" hidden>
        {text.passkeyFailed}
      </p>
      <button type="button" data-passkey="register" data-name={name} data-next="/me" hidden>
        {text.addPasskey}
      </button>
    </Card>
  );
}

function SecondFactor({ view, told, has }: { view: PersonView; told: Told; has: boolean }) {
  const text = words(view.locale);
  const { hasSecondFactor } = view.person;
  const { secondFactor } = told;
  if (secondFactor !== undefined) return <NewSecondFactor view={view} {...secondFactor} />;
  return (
    <Card title={text.second}>
      <p class="muted">{hasSecondFactor ? text.secondOn : text.secondWhy}</p>
      {has ? (
        <form class="form" method="post" action={hasSecondFactor ? "/me/second-factor/off" : "/me/second-factor"}>
          <FormToken view={view} />
          <div class="field">
            <label for="second-password">{text.current}</label>
            <input id="second-password" name="password" type="password" autocomplete="current-password" required />
          </div>
          <button type="submit">{hasSecondFactor ? text.turnOff : text.turnOn}</button>
        </form>
      ) : (
        <p class="muted">{text.noPassword}</p>
      )}
    </Card>
  );
}

function NewSecondFactor({ view, uri, codes }: { view: PersonView; uri: string; codes: readonly string[] }) {
  const text = words(view.locale);
  return (
    <Card title={text.second}>
      <p>{text.scan}</p>
      <Code view={view} text={new URL(uri).searchParams.get("secret") ?? uri} label={text.second} />
      <p>
        <a href={uri}>{text.openApp}</a>
      </p>
      {codes.length === 0 ? null : (
        <>
          <p>{text.backup}</p>
          <Code view={view} text={codes.join("\n")} label={text.backup} />
        </>
      )}
      <form class="form" method="post" action="/me/second-factor/confirm">
        <FormToken view={view} />
        <Field label={text.code} name="code" autocomplete="one-time-code" inputmode="numeric" required />
        <button class="primary" type="submit">
          {text.confirm}
        </button>
      </form>
    </Card>
  );
}

async function Sessions({ view }: { view: PersonView }) {
  const text = words(view.locale);
  const sessions = await sessionsOf(view.env.DB, view.person.id, new Date());
  return (
    <Card title={text.sessions} wide>
      <Table caption={text.sessions} head={[text.device, text.lastSeen, ""]}>
        {sessions.map((session) => (
          <tr>
            <td>
              {deviceOf(session.userAgent) ?? text.unknownDevice}{" "}
              {session.id === view.person.sessionId ? <span class="badge live">{text.thisOne}</span> : null}
            </td>
            <td>
              <Instant view={view} at={Date.parse(session.updatedAt)} />
            </td>
            <td class="number">
              <form method="post" action="/me/sessions/end">
                <FormToken view={view} />
                <input type="hidden" name="id" value={session.id} />
                <button class="small" type="submit">
                  {text.end}
                </button>
              </form>
            </td>
          </tr>
        ))}
      </Table>
      <form method="post" action="/me/sessions/end-all">
        <FormToken view={view} />
        <button class="danger" type="submit">
          {text.endAll}
        </button>
      </form>
    </Card>
  );
}

async function personPage(view: PersonView, told: Told = {}): Promise<Response> {
  const text = words(view.locale);
  const shared = common(view.locale);
  const has = await hasPassword(view.env.DB, view.person.id);
  return render(
    view,
    { title: text.title, status: told.bad === undefined ? 200 : 422, islands: ["passkey.js"] },
    <>
      <Heading title={text.title}>
        <a class="button" href="/app?all">
          {shared.organisations}
        </a>
      </Heading>
      {told.bad === undefined ? null : <Notice kind="bad">{told.bad}</Notice>}
      {told.good === undefined ? null : <Notice kind="good">{told.good}</Notice>}
      <div class="cards">
        <Card title={text.profile}>
          <form class="form" method="post" action="/me">
            <FormToken view={view} />
            <Field label={shared.name} name="name" value={view.person.name} autocomplete="name" required />
            <p class="muted breaks">{view.person.email}</p>
            <button type="submit">{shared.save}</button>
          </form>
        </Card>
        <SecondFactor view={view} told={told} has={has} />
        <Passkeys view={view} />
        <Password view={view} has={has} />
        <Sessions view={view} />
      </div>
    </>,
  );
}

async function saveProfile(view: PersonView): Promise<Response> {
  const form = readForm(view, profileForm);
  if (!form.ok) return personPage(view, { bad: common(view.locale).invalid(common(view.locale).name, form.why) });
  await renamePerson(view.env.DB, view.person.id, form.value.name);
  return redirect("/me");
}

async function changePassword(view: PersonView): Promise<Response> {
  const text = words(view.locale);
  const form = readForm(view, passwordForm);
  if (!form.ok) return personPage(view, { bad: text.notChanged });
  if (!(await mayTry("sign-in", view.person.email, view.request, view.env))) return refuse(view, "tooMany");
  const body = { currentPassword: form.value.current, newPassword: form.value.password, revokeOtherSessions: true };
  const answer = await callAuth(view, "/change-password", body);
  if (!answer.ok) return personPage(view, { bad: text.notChanged });
  view.cookies.push(...answer.cookies);
  return redirect("/me?done=password");
}

async function dropPasskey(view: PersonView): Promise<Response> {
  const form = readForm(view, passkeyForm);
  const isDone = form.ok && (await deletePasskey(view.env.DB, view.person.id, form.value.id));
  return isDone ? redirect("/me") : personPage(view, { bad: common(view.locale).notFound });
}

async function beginSecondFactor(view: PersonView): Promise<Response> {
  const text = words(view.locale);
  const form = readForm(view, passwordOnlyForm);
  if (!form.ok) return personPage(view, { bad: text.wrongPassword });
  if (!(await mayTry("sign-in", view.person.email, view.request, view.env))) return refuse(view, "tooMany");
  const answer = await callAuth(view, "/two-factor/enable", { password: form.value.password });
  const { totpURI: uri, backupCodes: codes } = answer.body;
  if (!answer.ok || typeof uri !== "string" || !Array.isArray(codes)) return personPage(view, { bad: text.wrongPassword });
  return personPage(view, { secondFactor: { uri, codes: codes.map(String) } });
}

async function confirmSecondFactor(view: PersonView): Promise<Response> {
  const text = words(view.locale);
  const form = readForm(view, codeForm);
  if (!(await mayTry("second-factor", null, view.request, view.env))) return refuse(view, "tooMany");
  const answer = form.ok ? await callAuth(view, "/two-factor/verify-totp", { code: form.value.code }) : null;
  if (answer === null || !answer.ok) return personPage(view, { bad: text.wrongCode });
  view.cookies.push(...answer.cookies);
  return redirect("/me");
}

async function endSecondFactor(view: PersonView): Promise<Response> {
  const text = words(view.locale);
  const form = readForm(view, passwordOnlyForm);
  if (!form.ok) return personPage(view, { bad: text.wrongPassword });
  if (!(await mayTry("sign-in", view.person.email, view.request, view.env))) return refuse(view, "tooMany");
  const answer = await callAuth(view, "/two-factor/disable", { password: form.value.password });
  if (!answer.ok) return personPage(view, { bad: text.wrongPassword });
  view.cookies.push(...answer.cookies);
  return redirect("/me");
}

async function endSession(view: PersonView): Promise<Response> {
  const form = readForm(view, sessionForm);
  if (!form.ok) return personPage(view, { bad: common(view.locale).notFound });
  await endSessions(view.env.DB, view.person.id, { id: form.value.id });
  return redirect("/me");
}

async function endAllSessions(view: PersonView): Promise<Response> {
  await endSessions(view.env.DB, view.person.id, { keptId: null });
  return redirect("/sign-in");
}

export const personPages: Page = {
  routes: [
    {
      for: "person",
      method: "GET",
      path: "/me",
      answer: (view) => personPage(view, view.url.searchParams.has("done") ? { good: words(view.locale).changed } : {}),
    },
    { for: "person", method: "POST", path: "/me", answer: saveProfile },
    { for: "person", method: "POST", path: "/me/password", answer: changePassword },
    { for: "person", method: "POST", path: "/me/passkeys/delete", answer: dropPasskey },
    { for: "person", method: "POST", path: "/me/second-factor", answer: beginSecondFactor },
    { for: "person", method: "POST", path: "/me/second-factor/confirm", answer: confirmSecondFactor },
    { for: "person", method: "POST", path: "/me/second-factor/off", answer: endSecondFactor },
    { for: "person", method: "POST", path: "/me/sessions/end", answer: endSession },
    { for: "person", method: "POST", path: "/me/sessions/end-all", answer: endAllSessions },
  ],
};
