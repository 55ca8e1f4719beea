/** Who belongs to the organisation, with what role, who is invited; and the organisation's name. */
import {
  changeRole,
  insertInvitation,
  type InvitationRow,
  type Member,
  membersOf,
  openInvitations,
  removeMember,
  renameOrganisation,
  revokeInvitation,
} from "../../../db/organisations.ts";
import {
  inviteForm,
  memberForm,
  organisationForm,
  removeMemberForm,
  revokeInvitationForm,
  type Role,
  rolesGivenBy,
} from "../../../schema/dashboard.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { readForm, sent } from "../frame/form.ts";
import { render } from "../frame/layout.tsx";
import { Card, Code, Field, FormToken, Heading, Instant, Notice, Select, Table } from "../frame/parts.tsx";
import { type OrganisationView, type Page, redirect } from "../frame/view.ts";
import { bilingual, common } from "../frame/words.ts";
import { publicOrigin } from "../people/auth.ts";
import { hashOf, newId, newToken } from "../people/secrets.ts";

const words = bilingual({
  en: {
    title: "People",
    members: "Members",
    since: "Since",
    change: "Change",
    remove: "Remove",
    removeSure: "Take this person out of the organisation? The keys they made keep working until revoked.",
    you: "you",
    secondFactor: "second factor",
    invite: "Invite somebody",
    inviteHint: "With an address, only that person can accept. Without one, whoever has the link can, once.",
    make: "Make the link",
    link: "Send this link to whom you invite. It works once, for seven days, and is shown only now.",
    invitations: "Open invitations",
    anybody: "whoever has the link",
    takeBack: "Take back",
    until: "Until",
    settings: "Organisation",
    lastOwner: "Nothing was changed: the role is not yours to give or take, or it is the last owner's.",
    wrong: (field: string) => `Check the field “${field}”.`,
    tooMany: "There are as many open invitations as there may be. Take some back first.",
    can: {
      owner: "everything",
      admin: "everything but the organisation's name",
      member: "keys, requests, playground",
      billing: "balance, orders, usage",
      "read-only": "look, change nothing",
    },
  },
  ru: {
    title: "Люди",
    members: "Участники",
    since: "С",
    change: "Изменить",
    remove: "Исключить",
    removeSure: "Исключить из организации? Созданные ключи работают, пока их не отзовут.",
    you: "вы",
    secondFactor: "второй фактор",
    invite: "Пригласить",
    inviteHint: "С адресом приглашение примет только этот человек. Без адреса — любой, у кого ссылка, один раз.",
    make: "Создать ссылку",
    link: "Отправьте эту ссылку тому, кого приглашаете. Она сработает один раз, семь дней, и показана только сейчас.",
    invitations: "Открытые приглашения",
    anybody: "любой, у кого ссылка",
    takeBack: "Отозвать",
    until: "До",
    settings: "Организация",
    lastOwner: "Ничего не изменено: эту роль вы не можете дать или забрать, или это последний владелец.",
    wrong: (field: string) => `Проверьте поле «${field}».`,
    tooMany: "Открытых приглашений уже столько, сколько можно. Отзовите лишние.",
    can: {
      owner: "всё",
      admin: "всё, кроме имени организации",
      member: "ключи, запросы, песочница",
      billing: "баланс, счета, расход",
      "read-only": "смотреть, ничего не менять",
    },
  },
});

interface Told {
  bad?: string;
  link?: string;
}

function roleOptions(view: OrganisationView): { value: Role; label: string }[] {
  const text = words(view.locale);
  const shared = common(view.locale);
  return rolesGivenBy(view.organisation.role).map((role) => ({ value: role, label: `${shared.roles[role]}: ${text.can[role]}` }));
}

function MemberLine({ view, member }: { view: OrganisationView; member: Member }) {
  const text = words(view.locale);
  const shared = common(view.locale);
  const mayChange = rolesGivenBy(view.organisation.role).includes(member.role);
  return (
    <tr>
      <td>
        <strong>{member.name}</strong> {member.person_id === view.person.id ? <span class="badge live">{text.you}</span> : null}
        <div class="hint breaks">{member.email}</div>
        {member.second_factor === 1 ? <span class="badge good">{text.secondFactor}</span> : null}
      </td>
      <td>
        {mayChange ? (
          <form class="row" method="post" action={view.href("/people/role")}>
            <FormToken view={view} />
            <input type="hidden" name="person_id" value={member.person_id} />
            <select name="role" aria-label={`${shared.role}: ${member.name}`}>
              {rolesGivenBy(view.organisation.role).map((role) => (
                <option value={role} selected={role === member.role}>
                  {shared.roles[role]}
                </option>
              ))}
            </select>
            <button class="small" type="submit">
              {text.change}
            </button>
          </form>
        ) : (
          shared.roles[member.role]
        )}
      </td>
      <td>
        <Instant view={view} at={member.created_at} />
      </td>
      <td class="number">
        {mayChange ? (
          <form method="post" action={view.href("/people/remove")} data-confirm={text.removeSure}>
            <FormToken view={view} />
            <input type="hidden" name="person_id" value={member.person_id} />
            <button class="small danger" type="submit" aria-label={`${text.remove}: ${member.name}`}>
              {text.remove}
            </button>
          </form>
        ) : null}
      </td>
    </tr>
  );
}

function InvitationLine({ view, invitation }: { view: OrganisationView; invitation: InvitationRow }) {
  const text = words(view.locale);
  return (
    <tr>
      <td class="breaks">{invitation.email ?? text.anybody}</td>
      <td>{common(view.locale).roles[invitation.role]}</td>
      <td>
        <Instant view={view} at={invitation.expires_at} />
      </td>
      <td class="number">
        <form method="post" action={view.href("/people/invitations/revoke")}>
          <FormToken view={view} />
          <input type="hidden" name="id" value={invitation.id} />
          <button class="small" type="submit">
            {text.takeBack}
          </button>
        </form>
      </td>
    </tr>
  );
}

function Invite({ view, told }: { view: OrganisationView; told: Told }) {
  const text = words(view.locale);
  return (
    <Card title={text.invite}>
      {told.link === undefined ? null : (
        <Notice kind="good">
          <p>{text.link}</p>
          <Code view={view} text={told.link} label={text.invite} />
        </Notice>
      )}
      <form class="form" method="post" action={view.href("/people/invitations")}>
        <FormToken view={view} />
        <Field
          label={common(view.locale).email}
          name="email"
          type="email"
          value={sent(view, "email")}
          autocomplete="off"
          hint={text.inviteHint}
        />
        <Select label={common(view.locale).role} name="role" options={roleOptions(view)} value="member" />
        <button class="primary" type="submit">
          {text.make}
        </button>
      </form>
    </Card>
  );
}

async function peoplePage(view: OrganisationView, told: Told = {}): Promise<Response> {
  const text = words(view.locale);
  const shared = common(view.locale);
  const { env, organisation } = view;
  const mayChange = view.may("people.change");
  const [members, invitations] = await Promise.all([
    membersOf(env.DB, organisation.id, LIMITS.membersPerOrganisation),
    mayChange ? openInvitations(env.DB, organisation.id, Date.now()) : [],
  ]);
  return render(
    view,
    { title: text.title, status: told.bad === undefined ? 200 : 422 },
    <>
      <Heading title={text.title} />
      {told.bad === undefined ? null : <Notice kind="bad">{told.bad}</Notice>}
      <Card title={text.members}>
        <Table caption={text.members} head={[shared.name, shared.role, text.since, ""]}>
          {members.map((member) => (
            <MemberLine view={view} member={member} />
          ))}
        </Table>
      </Card>
      {mayChange ? <Invite view={view} told={told} /> : null}
      {invitations.length === 0 ? null : (
        <Card title={text.invitations}>
          <Table caption={text.invitations} head={[shared.email, shared.role, text.until, ""]}>
            {invitations.map((invitation) => (
              <InvitationLine view={view} invitation={invitation} />
            ))}
          </Table>
        </Card>
      )}
      {view.may("organisation.change") ? (
        <Card title={text.settings}>
          <form class="form inline" method="post" action={view.href("/people/organisation")}>
            <FormToken view={view} />
            <Field label={shared.name} name="name" value={organisation.name} required maxlength={LIMITS.personNameCharacters} />
            <button type="submit">{shared.save}</button>
          </form>
        </Card>
      ) : null}
    </>,
  );
}

async function invite(view: OrganisationView): Promise<Response> {
  const text = words(view.locale);
  const form = readForm(view, inviteForm);
  if (!form.ok) return peoplePage(view, { bad: text.wrong(common(view.locale).email) });
  const { email, role } = form.value;
  if (!rolesGivenBy(view.organisation.role).includes(role)) return peoplePage(view, { bad: text.lastOwner });
  const token = newToken();
  const now = Date.now();
  const invitation = {
    id: newId("inv"),
    organisation_id: view.organisation.id,
    email,
    role,
    created_at: now,
    expires_at: now + LIMITS.invitationMilliseconds,
    token_hash: hashOf(token),
    invited_by: view.person.id,
  };
  const isMade = await insertInvitation(view.env.DB, invitation, LIMITS.openInvitationsPerOrganisation);
  if (!isMade) return peoplePage(view, { bad: text.tooMany });
  return peoplePage({ ...view, form: null }, { link: `${publicOrigin(view.request, view.env)}/invite/${token}` });
}

async function takeBack(view: OrganisationView): Promise<Response> {
  const form = readForm(view, revokeInvitationForm);
  const isDone = form.ok && (await revokeInvitation(view.env.DB, view.organisation.id, form.value.id, Date.now()));
  return isDone ? redirect(view.href("/people")) : peoplePage(view, { bad: common(view.locale).notFound });
}

async function giveRole(view: OrganisationView): Promise<Response> {
  const form = readForm(view, memberForm);
  const given = rolesGivenBy(view.organisation.role);
  if (!form.ok || !given.includes(form.value.role)) return peoplePage(view, { bad: words(view.locale).lastOwner });
  const member = { organisationId: view.organisation.id, personId: form.value.person_id };
  const isDone = await changeRole(view.env.DB, member, { role: form.value.role, takes: given });
  return isDone ? redirect(view.href("/people")) : peoplePage(view, { bad: words(view.locale).lastOwner });
}

async function takeOut(view: OrganisationView): Promise<Response> {
  const form = readForm(view, removeMemberForm);
  if (!form.ok) return peoplePage(view, { bad: words(view.locale).lastOwner });
  const member = { organisationId: view.organisation.id, personId: form.value.person_id };
  const isDone = await removeMember(view.env.DB, member, rolesGivenBy(view.organisation.role));
  if (!isDone) return peoplePage(view, { bad: words(view.locale).lastOwner });
  return redirect(member.personId === view.person.id ? "/app?all" : view.href("/people"));
}

async function rename(view: OrganisationView): Promise<Response> {
  const form = readForm(view, organisationForm);
  if (!form.ok) return peoplePage(view, { bad: words(view.locale).wrong(common(view.locale).name) });
  await renameOrganisation(view.env.DB, view.organisation.id, form.value.name);
  return redirect(view.href("/people"));
}

export const peoplePages: Page = {
  navigation: { path: "/people", icon: "people", label: { en: "People", ru: "Люди" }, may: "people.view" },
  routes: [
    { for: "organisation", method: "GET", path: "/people", may: "people.view", answer: (view) => peoplePage(view) },
    { for: "organisation", method: "POST", path: "/people/invitations", may: "people.change", answer: invite },
    { for: "organisation", method: "POST", path: "/people/invitations/revoke", may: "people.change", answer: takeBack },
    { for: "organisation", method: "POST", path: "/people/role", may: "people.change", answer: giveRole },
    { for: "organisation", method: "POST", path: "/people/remove", may: "people.change", answer: takeOut },
    { for: "organisation", method: "POST", path: "/people/organisation", may: "organisation.change", answer: rename },
  ],
};
