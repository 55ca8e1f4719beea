/** Projects, which keys they own, and when a key was last used, by the day, from the rollups. */

export interface ProjectRow {
  id: string;
  name: string;
  created_at: number;
}

export async function projectsOf(database: D1Database, organisationId: string): Promise<ProjectRow[]> {
  const found = await database
    .prepare("SELECT id, name, created_at FROM project WHERE organisation_id = ?1 ORDER BY created_at, id LIMIT 500")
    .bind(organisationId)
    .all<ProjectRow>();
  return found.results;
}

/** False: the organisation has one of this name, or as many as it may. */
export async function insertProject(
  database: D1Database,
  organisationId: string,
  project: ProjectRow,
  projectsMax: number,
): Promise<boolean> {
  const result = await database
    .prepare(
      `INSERT INTO project (id, organisation_id, name, created_at)
        SELECT ?1, ?2, ?3, CAST(?4 AS INTEGER) WHERE (SELECT count(*) FROM project WHERE organisation_id = ?2) < ?5 ON CONFLICT DO NOTHING`,
    )
    .bind(project.id, organisationId, project.name, String(project.created_at), projectsMax)
    .run();
  return result.meta.changes > 0;
}

export interface ProjectKey {
  key_id: string;
  project_id: string;
  created_by: string;
  ending: string;
}

export async function keysOfProjects(database: D1Database, organisationId: string): Promise<ProjectKey[]> {
  const found = await database
    .prepare("SELECT key_id, project_id, created_by, ending FROM project_key WHERE organisation_id = ?1 LIMIT 10000")
    .bind(organisationId)
    .all<ProjectKey>();
  return found.results;
}

/** Says whose a key is. False: the project is not the organisation's. */
export async function insertProjectKey(database: D1Database, organisationId: string, key: ProjectKey, now: number): Promise<boolean> {
  const result = await database
    .prepare(
      `INSERT INTO project_key (key_id, organisation_id, project_id, created_by, ending, created_at)
        SELECT ?1, organisation_id, id, ?4, ?5, CAST(?6 AS INTEGER) FROM project WHERE id = ?3 AND organisation_id = ?2 ON CONFLICT DO NOTHING`,
    )
    .bind(key.key_id, organisationId, key.project_id, key.created_by, key.ending, String(now))
    .run();
  return result.meta.changes > 0;
}

export interface KeyUse {
  key_id: string;
  /** UTC day. */
  last_day: string;
  requests: number;
  charged_micro_rub: number;
}

/** What each key of an account did, over every database that keeps some of its rollups. */
export async function useOfKeys(databases: readonly D1Database[], accountId: string): Promise<Map<string, KeyUse>> {
  const sql = `SELECT key_id, max(day) AS last_day, sum(requests) AS requests, sum(charged_micro_rub) AS charged_micro_rub
    FROM usage_day WHERE account_id = ?1 GROUP BY key_id`;
  const uses = new Map<string, KeyUse>();
  for (const { results } of await Promise.all(databases.map((database) => database.prepare(sql).bind(accountId).all<KeyUse>()))) {
    for (const use of results) {
      const known = uses.get(use.key_id);
      uses.set(use.key_id, known === undefined ? use : addedUse(known, use));
    }
  }
  return uses;
}

function addedUse(left: KeyUse, right: KeyUse): KeyUse {
  return {
    key_id: left.key_id,
    last_day: left.last_day > right.last_day ? left.last_day : right.last_day,
    requests: left.requests + right.requests,
    charged_micro_rub: left.charged_micro_rub + right.charged_micro_rub,
  };
}
