/** The one place where a page's script parses JSON: what the server wrote into the page, and what it answers. */

export type Json = Record<string, unknown>;

function objectOf(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}

/** An object from text; empty when it is none. */
export function parseObject(text: string): Json {
  try {
    return objectOf(JSON.parse(text));
  } catch {
    return {};
  }
}

/** The data a page brought along under an element's id. */
export function pageData(id: string): Json {
  return parseObject(document.getElementById(id)?.textContent ?? "");
}

/** A call with the page's form token. `body` undefined is a GET. */
export async function call(path: string, body?: unknown): Promise<{ ok: boolean; status: number; body: Json }> {
  const token = document.querySelector<HTMLMetaElement>("meta[name=form-token]")?.content ?? "";
  const response = await fetch(path, {
    method: body === undefined ? "GET" : "POST",
    headers: { accept: "application/json", "x-csrf-token": token, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { ok: response.ok, status: response.status, body: parseObject(await response.text()) };
}
