/** `GET /admin/config/versions` and `GET /admin/config?number=N`: every configuration there was. None is changed once it is stored. */
import type { Context } from "hono";
import { configVersions, documentBy } from "../../../db/documents.ts";
import { configDocumentSchema } from "../../../schema/document.ts";
import { gatewayError } from "../../../schema/error.ts";
import { parseWith } from "../../../schema/json.ts";
import { LIMITS } from "../../../schema/limits.ts";
import type { AppEnv } from "../app-env.ts";
import { integerQuery } from "../query.ts";
import { errorResponse } from "../respond.ts";
import { withoutKeys } from "./hidden-keys.ts";

/** The newest first. */
export async function listConfigVersions(context: Context<AppEnv>): Promise<Response> {
  const limit = integerQuery(context, "limit", { fallback: LIMITS.pageRowsDefault, minimum: 1, maximum: LIMITS.pageRowsMax });
  if (!limit.ok) return errorResponse(limit.error, context.get("requestId"));
  const before = integerQuery(context, "cursor", { fallback: Number.MAX_SAFE_INTEGER, minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
  if (!before.ok) return errorResponse(before.error, context.get("requestId"));
  const versions = await configVersions(context.env.DB, { beforeNumber: before.value, limit: limit.value });
  return context.json({ versions, next_cursor: versions.length < limit.value ? null : String(versions.at(-1)?.number ?? 0) });
}

/** The version that `number` names. */
export async function configAt(context: Context<AppEnv>): Promise<Response> {
  const number = integerQuery(context, "number", { fallback: 0, minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
  if (!number.ok) return errorResponse(number.error, context.get("requestId"));
  const stored = await documentBy(context.env.DB, "config", { number: number.value });
  if (stored === null) {
    const suggestion = "See GET /admin/config/versions.";
    const error = gatewayError("not_found", "There is no such version of the configuration.", { param: "number", suggestion });
    return errorResponse(error, context.get("requestId"));
  }
  const parsed = parseWith(configDocumentSchema, stored.body);
  if (!parsed.ok) throw new Error(`a stored document is unreadable: ${parsed.message}`);
  return context.json(withoutKeys(parsed.value));
}
