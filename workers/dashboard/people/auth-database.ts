/** better-auth's rows in D1. Its transactions are the single statements of db/people.ts: D1 has no interactive ones. */
import { createAdapterFactory } from "@better-auth/core/db/adapter";
import {
  type Condition,
  countPersonRows,
  deletePersonRows,
  findPersonRows,
  insertPersonRow,
  type PersonRow,
  updatePersonRows,
} from "../../../db/people.ts";

const NO_CONDITIONS: readonly Condition[] = [];

/** The library types a row by what it asked for, and checks nothing; a row of D1 is that shape because the columns are its fields. */
function rowAs<T>(row: PersonRow | undefined): T | null {
  return row === undefined ? null : (row as T);
}

export function authDatabase(database: D1Database): ReturnType<typeof createAdapterFactory> {
  return createAdapterFactory({
    config: {
      adapterId: "d1",
      adapterName: "D1",
      supportsBooleans: false,
      supportsDates: false,
      supportsJSON: false,
      supportsNumericIds: false,
      transaction: false,
    },
    adapter: () => ({
      create: async ({ model, data }) => {
        const stored = rowAs<typeof data>(await insertPersonRow(database, model, data));
        if (stored === null) throw new Error("an insert gave no row");
        return stored;
      },
      findOne: async ({ model, where }) => rowAs((await findPersonRows(database, { table: model, where }, { limit: 1 }))[0]),
      findMany: async ({ model, where = NO_CONDITIONS, limit, offset = 0, sortBy }) => {
        const rows = await findPersonRows(database, { table: model, where }, { limit, offset, sortBy });
        return rows.flatMap((row) => rowAs(row) ?? []);
      },
      update: async ({ model, where, update }) => {
        const set = { ...(update as Record<string, unknown>) };
        return rowAs((await updatePersonRows(database, { table: model, where }, { set, onlyOne: true }))[0]);
      },
      updateMany: async ({ model, where, update }) =>
        (await updatePersonRows(database, { table: model, where }, { set: update, onlyOne: false })).length,
      delete: async ({ model, where }) => {
        await deletePersonRows(database, { table: model, where }, true);
      },
      deleteMany: async ({ model, where }) => (await deletePersonRows(database, { table: model, where }, false)).length,
      consumeOne: async ({ model, where }) => rowAs((await deletePersonRows(database, { table: model, where }, true))[0]),
      incrementOne: async ({ model, where, increment, set = {} }) =>
        rowAs((await updatePersonRows(database, { table: model, where }, { set, increment, onlyOne: true }))[0]),
      count: async ({ model, where = NO_CONDITIONS }) => countPersonRows(database, { table: model, where }),
    }),
  });
}
