/**
 * The rows behind better-auth: reads and writes of any table whose name begins with `person`, from conditions the library makes. Values are
 * always bound; names of tables and columns come from the library's own schema, and are checked nevertheless.
 */

export interface Condition {
  field: string;
  /** Left out: `eq`. */
  operator?: "eq" | "ne" | "lt" | "lte" | "gt" | "gte" | "in" | "not_in" | "contains" | "starts_with" | "ends_with" | undefined;
  value: unknown;
  /** Left out: AND. */
  connector?: "AND" | "OR" | undefined;
  mode?: "sensitive" | "insensitive" | undefined;
}

export type PersonRow = Record<string, string | number | null>;

interface Fragment {
  sql: string;
  values: (string | number | null)[];
}

const COMPARISONS = { eq: "IS", ne: "IS NOT", lt: "<", lte: "<=", gt: ">", gte: ">=" } as const;

function quoted(identifier: string): string {
  if (!/^[a-zA-Z_]{1,64}$/.test(identifier)) throw new Error(`"${identifier}" is no name of a column`);
  return `"${identifier}"`;
}

function tableName(name: string): string {
  if (!/^person(_[a-z_]{1,40})?$/.test(name)) throw new Error(`"${name}" is no table of people`);
  return `"${name}"`;
}

/** What SQLite takes: booleans as 0 and 1, instants as ISO text. */
function bound(value: unknown): string | number | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "string" || typeof value === "number") return value;
  if (value instanceof Date) return value.toISOString();
  throw new Error("a value of this kind is not stored");
}

function fragmentOf({ field, operator = "eq", value, mode }: Condition): Fragment {
  const collate = mode === "insensitive" ? " COLLATE NOCASE" : "";
  const column = quoted(field);
  switch (operator) {
    case "in":
    case "not_in": {
      const list = JSON.stringify(Array.isArray(value) ? value.map(bound) : [bound(value)]);
      return { sql: `${column} ${operator === "in" ? "IN" : "NOT IN"} (SELECT value FROM json_each(?))`, values: [list] };
    }
    case "contains":
      return { sql: `instr(${column}, ?) > 0`, values: [bound(value)] };
    case "starts_with":
      return { sql: `instr(${column}, ?) = 1`, values: [bound(value)] };
    case "ends_with":
      return { sql: `substr(${column}, -length(?)) = ?`, values: [bound(value), bound(value)] };
    default:
      return { sql: `${column} ${COMPARISONS[operator]} ?${collate}`, values: [bound(value)] };
  }
}

/** Every AND holds, and, where there are some, one of the ORs: the meaning the library's own adapters give to its flat list. */
function whereOf(conditions: readonly Condition[]): Fragment {
  const groups = (connector: "AND" | "OR"): Fragment[] =>
    conditions.filter((condition) => (condition.connector ?? "AND") === connector).map(fragmentOf);
  const [all, some] = [groups("AND"), groups("OR")];
  const parts = [...all.map((part) => part.sql), ...(some.length > 0 ? [`(${some.map((part) => part.sql).join(" OR ")})`] : [])];
  return { sql: parts.length === 0 ? "" : ` WHERE ${parts.join(" AND ")}`, values: [...all, ...some].flatMap((part) => part.values) };
}

export interface PersonQuery {
  table: string;
  where: readonly Condition[];
}

/** Inserts a row and gives it back as it is stored. */
export async function insertPersonRow(database: D1Database, table: string, row: Readonly<Record<string, unknown>>): Promise<PersonRow> {
  const entries = Object.entries(row).filter(([, value]) => value !== undefined);
  const columns = entries.map(([column]) => quoted(column)).join(", ");
  const marks = entries.map(() => "?").join(", ");
  const stored = await database
    .prepare(`INSERT INTO ${tableName(table)} (${columns}) VALUES (${marks}) RETURNING *`)
    .bind(...entries.map(([, value]) => bound(value)))
    .first<PersonRow>();
  if (stored === null) throw new Error("an insert gave no row");
  return stored;
}

export async function findPersonRows(
  database: D1Database,
  { table, where }: PersonQuery,
  page: { limit: number; offset?: number; sortBy?: { field: string; direction: "asc" | "desc" } | undefined },
): Promise<PersonRow[]> {
  const condition = whereOf(where);
  const order =
    page.sortBy === undefined ? "" : ` ORDER BY ${quoted(page.sortBy.field)} ${page.sortBy.direction === "desc" ? "DESC" : "ASC"}`;
  const found = await database
    .prepare(`SELECT * FROM ${tableName(table)}${condition.sql}${order} LIMIT ? OFFSET ?`)
    .bind(...condition.values, page.limit, page.offset ?? 0)
    .all<PersonRow>();
  return found.results;
}

/** Changes every row that matches; gives those rows. `increment` adds to what is there. */
export async function updatePersonRows(
  database: D1Database,
  { table, where }: PersonQuery,
  change: { set: Readonly<Record<string, unknown>>; increment?: Readonly<Record<string, number>>; onlyOne: boolean },
): Promise<PersonRow[]> {
  const entries = Object.entries(change.set).filter(([, value]) => value !== undefined);
  const steps = Object.entries(change.increment ?? {});
  const assignments = [
    ...entries.map(([column]) => `${quoted(column)} = ?`),
    ...steps.map(([column]) => `${quoted(column)} = coalesce(${quoted(column)}, 0) + ?`),
  ];
  if (assignments.length === 0) return findPersonRows(database, { table, where }, { limit: 1 });
  const condition = whereOf(where);
  const name = tableName(table);
  const rows = change.onlyOne ? ` WHERE id = (SELECT id FROM ${name}${condition.sql} LIMIT 1)` : condition.sql;
  const updated = await database
    .prepare(`UPDATE ${name} SET ${assignments.join(", ")}${rows} RETURNING *`)
    .bind(...entries.map(([, value]) => bound(value)), ...steps.map(([, step]) => step), ...condition.values)
    .all<PersonRow>();
  return updated.results;
}

/** Deletes what matches and gives the rows that were there. */
export async function deletePersonRows(database: D1Database, { table, where }: PersonQuery, onlyOne: boolean): Promise<PersonRow[]> {
  const condition = whereOf(where);
  const name = tableName(table);
  const rows = onlyOne ? ` WHERE id = (SELECT id FROM ${name}${condition.sql} LIMIT 1)` : condition.sql;
  const deleted = await database
    .prepare(`DELETE FROM ${name}${rows} RETURNING *`)
    .bind(...condition.values)
    .all<PersonRow>();
  return deleted.results;
}

export async function countPersonRows(database: D1Database, { table, where }: PersonQuery): Promise<number> {
  const condition = whereOf(where);
  const row = await database
    .prepare(`SELECT count(*) AS rows FROM ${tableName(table)}${condition.sql}`)
    .bind(...condition.values)
    .first<{ rows: number }>();
  return row?.rows ?? 0;
}

/** Whether a person runs the installation. */
export async function isOperator(database: D1Database, personId: string): Promise<boolean> {
  return (await database.prepare("SELECT 1 FROM operator WHERE person_id = ?1").bind(personId).first()) !== null;
}

/** True once somebody owns the installation. */
export async function hasOperator(database: D1Database): Promise<boolean> {
  return (await database.prepare("SELECT 1 FROM operator LIMIT 1").first()) !== null;
}

/** Makes somebody the first operator. False: there is one already. */
export async function becomeFirstOperator(database: D1Database, personId: string, now: number): Promise<boolean> {
  const result = await database
    .prepare("INSERT INTO operator (person_id, since) SELECT ?1, CAST(?2 AS INTEGER) WHERE NOT EXISTS (SELECT 1 FROM operator)")
    .bind(personId, String(now))
    .run();
  return result.meta.changes > 0;
}

export interface SessionRow {
  id: string;
  createdAt: string;
  updatedAt: string;
  userAgent: string | null;
}

/** Where somebody is signed in now, the latest first. */
export async function sessionsOf(database: D1Database, personId: string, now: Date): Promise<SessionRow[]> {
  const found = await database
    .prepare(
      `SELECT id, createdAt, updatedAt, userAgent FROM person_session WHERE userId = ?1 AND expiresAt > ?2 ORDER BY updatedAt DESC LIMIT 100`,
    )
    .bind(personId, now.toISOString())
    .all<SessionRow>();
  return found.results;
}

/** Signs a person out: of one session, or, with null, of all but `keptId`. */
export async function endSessions(
  database: D1Database,
  personId: string,
  which: { id: string } | { keptId: string | null },
): Promise<void> {
  const statement =
    "id" in which
      ? database.prepare("DELETE FROM person_session WHERE userId = ?1 AND id = ?2").bind(personId, which.id)
      : database.prepare("DELETE FROM person_session WHERE userId = ?1 AND id IS NOT ?2").bind(personId, which.keptId);
  await statement.run();
}

export interface PasskeyRow {
  id: string;
  name: string | null;
  createdAt: string | null;
}

export async function passkeysOf(database: D1Database, personId: string): Promise<PasskeyRow[]> {
  const found = await database
    .prepare("SELECT id, name, createdAt FROM person_passkey WHERE userId = ?1 ORDER BY createdAt LIMIT 100")
    .bind(personId)
    .all<PasskeyRow>();
  return found.results;
}

export async function deletePasskey(database: D1Database, personId: string, id: string): Promise<boolean> {
  const result = await database.prepare("DELETE FROM person_passkey WHERE userId = ?1 AND id = ?2").bind(personId, id).run();
  return result.meta.changes > 0;
}

/** Whether somebody has a password: who came by an outside provider or a link has none. */
export async function hasPassword(database: D1Database, personId: string): Promise<boolean> {
  const row = await database.prepare("SELECT 1 FROM person_credential WHERE userId = ?1 AND password IS NOT NULL").bind(personId).first();
  return row !== null;
}

export async function renamePerson(database: D1Database, personId: string, name: string): Promise<void> {
  await database.prepare("UPDATE person SET name = ?2 WHERE id = ?1").bind(personId, name).run();
}
