/** Organisations, who belongs to them, and invitations. Every change that must not race is one statement with its condition inside. */
import type { Role } from "../schema/dashboard.ts";

export interface OrganisationRow {
  id: string;
  name: string;
  account_id: string;
  created_at: number;
}

export interface Membership extends OrganisationRow {
  role: Role;
}

/** An organisation with its account and its first member, all or none of it. */
export async function createOrganisation(
  database: D1Database,
  organisation: OrganisationRow,
  first: { personId: string; projectId: string; projectName: string },
): Promise<void> {
  const at = String(organisation.created_at);
  await database.batch([
    database
      .prepare("INSERT INTO account (id, name, created_at) VALUES (?1, ?2, CAST(?3 AS INTEGER)) ON CONFLICT DO NOTHING")
      .bind(organisation.account_id, organisation.name, at),
    database
      .prepare(
        "INSERT INTO organisation (id, name, account_id, created_at) VALUES (?1, ?2, ?3, CAST(?4 AS INTEGER)) ON CONFLICT DO NOTHING",
      )
      .bind(organisation.id, organisation.name, organisation.account_id, at),
    database
      .prepare(
        `INSERT INTO project (id, organisation_id, name, created_at)
          SELECT ?1, ?2, ?3, CAST(?4 AS INTEGER) WHERE NOT EXISTS (SELECT 1 FROM project WHERE organisation_id = ?2)`,
      )
      .bind(first.projectId, organisation.id, first.projectName, at),
    database
      .prepare(
        `INSERT INTO membership (organisation_id, person_id, role, created_at) VALUES (?1, ?2, 'owner', CAST(?3 AS INTEGER))
          ON CONFLICT DO NOTHING`,
      )
      .bind(organisation.id, first.personId, at),
  ]);
}

const MEMBERSHIPS = `SELECT o.id, o.name, o.account_id, o.created_at, m.role FROM membership m JOIN organisation o ON o.id = m.organisation_id
  WHERE m.person_id = ?1`;

/** The organisations of a person, the oldest first. */
export async function membershipsOf(database: D1Database, personId: string, limit: number): Promise<Membership[]> {
  const found = await database.prepare(`${MEMBERSHIPS} ORDER BY o.created_at, o.id LIMIT ?2`).bind(personId, limit).all<Membership>();
  return found.results;
}

export async function findOrganisation(database: D1Database, id: string): Promise<OrganisationRow | null> {
  return database.prepare("SELECT id, name, account_id, created_at FROM organisation WHERE id = ?1").bind(id).first<OrganisationRow>();
}

export async function renameOrganisation(database: D1Database, id: string, name: string): Promise<void> {
  await database.prepare("UPDATE organisation SET name = ?2 WHERE id = ?1").bind(id, name).run();
}

export interface Member {
  person_id: string;
  name: string;
  email: string;
  role: Role;
  created_at: number;
  second_factor: number;
}

export async function membersOf(database: D1Database, organisationId: string, limit: number): Promise<Member[]> {
  const found = await database
    .prepare(
      `SELECT m.person_id, p.name, p.email, m.role, m.created_at, coalesce(p.twoFactorEnabled, 0) AS second_factor
        FROM membership m JOIN person p ON p.id = m.person_id WHERE m.organisation_id = ?1 ORDER BY m.created_at, m.person_id LIMIT ?2`,
    )
    .bind(organisationId, limit)
    .all<Member>();
  return found.results;
}

/** What a change must leave: somebody else who owns the organisation, where it takes an owner away. */
const ANOTHER_OWNER = "EXISTS (SELECT 1 FROM membership o WHERE o.organisation_id = ?1 AND o.role = 'owner' AND o.person_id <> ?2)";

/**
 * Gives a member another role. False: no such member, a role that may not be taken by this person (`takes` as JSON), or the last owner.
 */
export async function changeRole(
  database: D1Database,
  member: { organisationId: string; personId: string },
  change: { role: Role; takes: readonly Role[] },
): Promise<boolean> {
  const result = await database
    .prepare(
      `UPDATE membership SET role = ?3 WHERE organisation_id = ?1 AND person_id = ?2 AND role IN (SELECT value FROM json_each(?4))
        AND (role <> 'owner' OR ?3 = 'owner' OR ${ANOTHER_OWNER})`,
    )
    .bind(member.organisationId, member.personId, change.role, JSON.stringify(change.takes))
    .run();
  return result.meta.changes > 0;
}

/** The same for taking somebody out. */
export async function removeMember(
  database: D1Database,
  member: { organisationId: string; personId: string },
  takes: readonly Role[],
): Promise<boolean> {
  const result = await database
    .prepare(
      `DELETE FROM membership WHERE organisation_id = ?1 AND person_id = ?2 AND role IN (SELECT value FROM json_each(?3))
        AND (role <> 'owner' OR ${ANOTHER_OWNER})`,
    )
    .bind(member.organisationId, member.personId, JSON.stringify(takes))
    .run();
  return result.meta.changes > 0;
}

export interface InvitationRow {
  id: string;
  organisation_id: string;
  email: string | null;
  role: Role;
  created_at: number;
  expires_at: number;
}

const INVITATIONS = "SELECT id, organisation_id, email, role, created_at, expires_at FROM invitation";
const OPEN = "used_at IS NULL AND revoked_at IS NULL";

/** Stores an invitation. False: the organisation has as many open ones as it may. */
export async function insertInvitation(
  database: D1Database,
  invitation: InvitationRow & { token_hash: string; invited_by: string },
  openMax: number,
): Promise<boolean> {
  const result = await database
    .prepare(
      `INSERT INTO invitation (id, organisation_id, token_hash, email, role, invited_by, created_at, expires_at)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, CAST(?7 AS INTEGER), CAST(?8 AS INTEGER)
        WHERE (SELECT count(*) FROM invitation WHERE organisation_id = ?2 AND ${OPEN} AND expires_at > CAST(?7 AS INTEGER)) < ?9`,
    )
    .bind(
      invitation.id,
      invitation.organisation_id,
      invitation.token_hash,
      invitation.email,
      invitation.role,
      invitation.invited_by,
      String(invitation.created_at),
      String(invitation.expires_at),
      openMax,
    )
    .run();
  return result.meta.changes > 0;
}

export async function openInvitations(database: D1Database, organisationId: string, now: number): Promise<InvitationRow[]> {
  const found = await database
    .prepare(
      `${INVITATIONS} WHERE organisation_id = ?1 AND ${OPEN} AND expires_at > CAST(?2 AS INTEGER) ORDER BY created_at DESC LIMIT 500`,
    )
    .bind(organisationId, String(now))
    .all<InvitationRow>();
  return found.results;
}

/** An invitation that can still be accepted. */
export async function findInvitation(database: D1Database, tokenHash: string, now: number): Promise<InvitationRow | null> {
  return database
    .prepare(`${INVITATIONS} WHERE token_hash = ?1 AND ${OPEN} AND expires_at > CAST(?2 AS INTEGER)`)
    .bind(tokenHash, String(now))
    .first<InvitationRow>();
}

export async function revokeInvitation(database: D1Database, organisationId: string, id: string, now: number): Promise<boolean> {
  const result = await database
    .prepare(`UPDATE invitation SET revoked_at = CAST(?3 AS INTEGER) WHERE id = ?2 AND organisation_id = ?1 AND ${OPEN}`)
    .bind(organisationId, id, String(now))
    .run();
  return result.meta.changes > 0;
}

/**
 * Uses an invitation up and makes its person a member, in one transaction. False: somebody was quicker, it was taken back, it has ended, or
 * it is for another address. Who is a member already keeps their role.
 */
export async function acceptInvitation(
  database: D1Database,
  tokenHash: string,
  person: { id: string; email: string },
  now: number,
): Promise<boolean> {
  const [used] = await database.batch([
    database
      .prepare(
        `UPDATE invitation SET used_at = CAST(?2 AS INTEGER), used_by = ?3
          WHERE token_hash = ?1 AND ${OPEN} AND expires_at > CAST(?2 AS INTEGER) AND (email IS NULL OR email = ?4)`,
      )
      .bind(tokenHash, String(now), person.id, person.email),
    database
      .prepare(
        `INSERT INTO membership (organisation_id, person_id, role, created_at)
          SELECT organisation_id, ?3, role, CAST(?2 AS INTEGER) FROM invitation
          WHERE token_hash = ?1 AND used_by = ?3 AND used_at = CAST(?2 AS INTEGER)
          ON CONFLICT DO NOTHING`,
      )
      .bind(tokenHash, String(now), person.id),
  ]);
  return (used?.meta.changes ?? 0) > 0;
}
