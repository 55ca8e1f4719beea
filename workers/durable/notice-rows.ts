/** Notices of an account that wait for their queue, in the object's own storage: what was noticed is not forgotten by a restart. */
import { z } from "zod";
import { parseWith } from "../../schema/json.ts";
import { type Notice, noticeSchema } from "../../schema/webhook.ts";

const CREATE = "CREATE TABLE IF NOT EXISTS notice (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL) STRICT";
const rowSchema = z.object({ id: z.number().int(), body: z.string() });

export interface StoredNotice {
  row: number;
  notice: Notice;
}

export class NoticeRows {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(CREATE);
  }

  add(notice: Notice): void {
    this.#sql.exec("INSERT INTO notice (body) VALUES (?)", JSON.stringify(notice));
  }

  /** The oldest, at most `limit`. */
  waiting(limit: number): StoredNotice[] {
    const rows = this.#sql.exec("SELECT id, body FROM notice ORDER BY id LIMIT CAST(? AS INTEGER)", String(limit)).toArray();
    return rows.flatMap((row) => {
      const { id, body } = rowSchema.parse(row);
      const notice = parseWith(noticeSchema, body);
      return notice.ok ? [{ row: id, notice: notice.value }] : [];
    });
  }

  removeThrough(row: number): void {
    this.#sql.exec("DELETE FROM notice WHERE id <= CAST(? AS INTEGER)", String(row));
  }
}
