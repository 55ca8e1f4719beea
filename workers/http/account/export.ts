/** `GET /v1/usage/export`: every row of the range as CSV or JSON lines, streamed page by page so that memory does not grow with it. */
import type { Context } from "hono";
import type { UsageFilter } from "../../../db/usage.ts";
import { type UsageRow, usageRows, type UsageStore } from "../../../db/usage-rows.ts";
import { LIMITS } from "../../../schema/limits.ts";
import type { AppEnv } from "../app-env.ts";
import { choiceQuery } from "../query.ts";
import { errorResponse } from "../respond.ts";
import { filterOf, publicRow, storeOf } from "./rows.ts";

const COLUMNS = [
  "seq",
  "request_id",
  "at",
  "key_id",
  "protocol",
  "model",
  "provider",
  "stream",
  "state",
  "error_code",
  "input_tokens",
  "cache_read_tokens",
  "cache_write_5m_tokens",
  "cache_write_1h_tokens",
  "output_tokens",
  "reasoning_tokens",
  "usage_source",
  "price_version",
  "cost_micro_rub",
  "charged_micro_rub",
  "flagged",
  "finish_reason",
  "ttft_ms",
  "duration_ms",
  "evidence",
] as const satisfies readonly (keyof UsageRow)[];

export async function exportUsage(context: Context<AppEnv>): Promise<Response> {
  const filter = filterOf(context);
  if (!filter.ok) return errorResponse(filter.error, context.get("requestId"));
  const format = choiceQuery(context, "format", ["csv", "jsonl"]);
  if (!format.ok) return errorResponse(format.error, context.get("requestId"));
  const isCsv = format.value !== "jsonl";
  const pages = exportPages(await storeOf(context), filter.value, isCsv);
  const encoder = new TextEncoder();
  // A page is read when the reader has taken the one before it, so a slow reader of a long export holds one page and no more.
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value, done } = await pages.next();
      if (done === true) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel() {
      await pages.return();
    },
  });
  return new Response(body, {
    headers: {
      "content-type": isCsv ? "text/csv; charset=utf-8" : "application/jsonl; charset=utf-8",
      "content-disposition": `attachment; filename="usage.${isCsv ? "csv" : "jsonl"}"`,
      "x-plyrum-request-id": context.get("requestId"),
    },
  });
}

async function* exportPages(store: UsageStore, filter: UsageFilter, isCsv: boolean): AsyncGenerator<string, void> {
  if (isCsv) yield `${COLUMNS.join(",")}\n`;
  let beforeSeq: number = Number.MAX_SAFE_INTEGER;
  for (;;) {
    const rows = await usageRows(store, filter, { beforeSeq, limit: LIMITS.exportRowsPerPage });
    if (rows.length > 0) yield rows.map((row) => `${isCsv ? csvLine(row) : JSON.stringify(publicRow(row))}\n`).join("");
    beforeSeq = rows.at(-1)?.seq ?? 0;
    if (rows.length < LIMITS.exportRowsPerPage) return;
  }
}

/**
 * Quoted where needed; a text that begins with `=`, `+`, `-`, `@` (also full-width), a tab or a line end gets an apostrophe before it, since
 * spreadsheets run it as a formula.
 */
function csvLine(row: UsageRow): string {
  return COLUMNS.map((column) => {
    const value = row[column];
    if (value === null) return "";
    if (typeof value === "number") return String(value);
    const text = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(value) ? `'${value}` : value;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }).join(",");
}
