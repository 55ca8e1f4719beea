/** `GET /docs`: the API as pages, made from `/openapi.json` and nothing else. One page lists every call; `?operation=` shows one of them. */
import { z } from "zod";
import { parseWith } from "../../../schema/json.ts";
import { render } from "../frame/layout.tsx";
import { Card, Code, Empty, Field, Heading, Table } from "../frame/parts.tsx";
import { refuse } from "../frame/refusals.tsx";
import type { Page, View } from "../frame/view.ts";
import { bilingual } from "../frame/words.ts";

const METHODS = ["get", "post", "put", "patch", "delete"] as const;
const FIELDS_SHOWN = 120;
const FIELD_DEPTH = 4;

const words = bilingual({
  en: {
    title: "API reference",
    why: "Point the client you have at this address: OpenAI, Anthropic, Gemini, Bedrock and Ollama SDKs work as they are.",
    machine: "The same for programs",
    search: "Search",
    show: "Show",
    groups: { clientKey: "With a client's key", adminKey: "With the admin key", none: "Without a key" },
    call: "Call",
    what: "What it does",
    none: "No such call",
    noneWhy: "Take a word out of the search, or look at all of them.",
    all: "All calls",
    key: {
      clientKey: "Send a key as a bearer token, as x-api-key or as x-goog-api-key.",
      adminKey: "Send the admin key as a bearer token.",
      none: "No key is needed.",
    },
    parameters: "Parameters",
    parameter: "Name",
    place: "Where",
    places: { path: "path", query: "query", header: "header" },
    required: "required",
    body: "Body",
    answer: "Answer",
    field: "Field",
    type: "Type",
    meaning: "Meaning",
    anyBody: "The body is that of the protocol itself, passed on as it is where client and provider speak the same one.",
    more: "There are more fields; the whole schema is in /openapi.json.",
    try: "Try it",
  },
  ru: {
    title: "Справочник API",
    why: "Направьте свой клиент на этот адрес: SDK OpenAI, Anthropic, Gemini, Bedrock и Ollama работают без изменений.",
    machine: "То же для программ",
    search: "Поиск",
    show: "Показать",
    groups: { clientKey: "С ключом клиента", adminKey: "С ключом администратора", none: "Без ключа" },
    call: "Вызов",
    what: "Что делает",
    none: "Такого вызова нет",
    noneWhy: "Уберите слово из поиска или посмотрите все вызовы.",
    all: "Все вызовы",
    key: {
      clientKey: "Ключ — в заголовке Authorization: Bearer, x-api-key или x-goog-api-key.",
      adminKey: "Ключ администратора — в заголовке Authorization: Bearer.",
      none: "Ключ не нужен.",
    },
    parameters: "Параметры",
    parameter: "Имя",
    place: "Где",
    places: { path: "путь", query: "запрос", header: "заголовок" },
    required: "обязательно",
    body: "Тело",
    answer: "Ответ",
    field: "Поле",
    type: "Тип",
    meaning: "Значение",
    anyBody: "Тело — по самому протоколу; оно передаётся без изменений, когда клиент и провайдер говорят на одном.",
    more: "Полей больше; вся схема — в /openapi.json.",
    try: "Попробовать",
  },
});

type Schema = z.infer<typeof schemaSchema>;
const schemaSchema = z.looseObject({
  type: z.union([z.string(), z.array(z.string())]).optional(),
  description: z.string().optional(),
  get properties() {
    return z.record(z.string(), schemaSchema).optional();
  },
  required: z.array(z.string()).optional(),
  get items() {
    return schemaSchema.optional();
  },
  get anyOf() {
    return z.array(schemaSchema).optional();
  },
  enum: z.array(z.unknown()).optional(),
  const: z.unknown().optional(),
});

const contentSchema = z.looseObject({ content: z.record(z.string(), z.looseObject({ schema: schemaSchema })).optional() });
const operationSchema = z.looseObject({
  summary: z.string(),
  security: z.array(z.record(z.string(), z.unknown())),
  parameters: z.array(
    z.looseObject({ name: z.string().optional(), in: z.string(), required: z.boolean().optional(), description: z.string().optional() }),
  ),
  requestBody: contentSchema.optional(),
  responses: z.record(z.string(), contentSchema),
});
const documentSchema = z.looseObject({ paths: z.record(z.string(), z.partialRecord(z.enum(METHODS), operationSchema)) });

interface Operation extends z.infer<typeof operationSchema> {
  method: string;
  path: string;
  who: "clientKey" | "adminKey" | "none";
}

async function operationsOf(view: View): Promise<Operation[]> {
  const answer = await view.ports.asCaller(new Request(new URL("/openapi.json", view.request.url)), view.env, view.context);
  const parsed = parseWith(documentSchema, await answer.text());
  if (!parsed.ok) throw new Error(`the description of the API is of another shape: ${parsed.message} at ${parsed.path ?? "the root"}`);
  return Object.entries(parsed.value.paths).flatMap(([path, operations]) =>
    METHODS.flatMap((method) => {
      const operation = operations[method];
      if (operation === undefined) return [];
      const scheme = Object.keys(operation.security[0] ?? {})[0];
      return [{ ...operation, method, path, who: scheme === "clientKey" || scheme === "adminKey" ? scheme : ("none" as const) }];
    }),
  );
}

function nameOf({ method, path }: Operation): string {
  return `${method.toUpperCase()} ${path}`;
}

interface ShownField {
  name: string;
  type: string;
  required: boolean;
  description: string;
}

function typeOf(schema: Schema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((each) => JSON.stringify(each)).join(" | ");
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(typeOf))].join(" | ");
  if (schema.items !== undefined) return `${typeOf(schema.items)}[]`;
  return Array.isArray(schema.type) ? schema.type.join(" | ") : (schema.type ?? "any");
}

/** The fields of an object and of the objects inside it, each by its whole name. */
function fieldsOf(schema: Schema, before = "", depth = 0): ShownField[] {
  const inside = [schema, ...(schema.anyOf ?? [])].find((each) => each.properties !== undefined);
  if (inside?.properties === undefined || depth >= FIELD_DEPTH) return [];
  return Object.entries(inside.properties).flatMap(([name, field]) => {
    const whole = `${before}${name}`;
    const required = inside.required?.includes(name) === true;
    const under = field.items === undefined ? fieldsOf(field, `${whole}.`, depth + 1) : fieldsOf(field.items, `${whole}[].`, depth + 1);
    return [{ name: whole, type: typeOf(field), required, description: field.description ?? "" }, ...under];
  });
}

function Fields({ view, title, schema }: { view: View; title: string; schema: Schema }) {
  const text = words(view.locale);
  const fields = fieldsOf(schema);
  return (
    <Card title={title} wide>
      {fields.length === 0 ? (
        <p class="mono">{typeOf(schema)}</p>
      ) : (
        <Table caption={title} head={[text.field, text.type, text.meaning]}>
          {fields.slice(0, FIELDS_SHOWN).map((field) => (
            <tr>
              <td class="mono breaks main-cell">{field.name}</td>
              <td class="mono breaks">{field.type}</td>
              <td>{[field.required ? text.required : "", field.description].filter((each) => each !== "").join("; ")}</td>
            </tr>
          ))}
        </Table>
      )}
      {fields.length > FIELDS_SHOWN ? <p class="hint">{text.more}</p> : null}
    </Card>
  );
}

function Parameters({ view, operation }: { view: View; operation: Operation }) {
  const text = words(view.locale);
  const places: Readonly<Record<string, string>> = text.places;
  if (operation.parameters.length === 0) return null;
  return (
    <Card title={text.parameters} wide>
      <Table caption={text.parameters} head={[text.parameter, text.place, text.meaning]}>
        {operation.parameters.map((parameter) => (
          <tr>
            <td class="mono">{parameter.name ?? ""}</td>
            <td>{places[parameter.in] ?? parameter.in}</td>
            <td>
              {[parameter.required === true ? text.required : "", parameter.description ?? ""].filter((each) => each !== "").join("; ")}
            </td>
          </tr>
        ))}
      </Table>
    </Card>
  );
}

function curlOf(view: View, { method, path, who, requestBody }: Operation): string {
  const key = who === "none" ? [] : [`  -H "authorization: Bearer $PLYRUM_${who === "adminKey" ? "ADMIN" : "API"}_KEY"`];
  const hasBody = method !== "get" && (requestBody !== undefined || who === "clientKey");
  const body = hasBody ? [`  -H "content-type: application/json" -d @body.json`] : [];
  return [`curl -X ${method.toUpperCase()} ${view.url.origin}${path}`, ...key, ...body].join(" \\\n");
}

function schemaIn(of: z.infer<typeof contentSchema> | undefined): Schema | undefined {
  return of?.content?.["application/json"]?.schema;
}

function OperationPage({ view, operation }: { view: View; operation: Operation }) {
  const text = words(view.locale);
  const [body, answer] = [schemaIn(operation.requestBody), schemaIn(operation.responses["200"])];
  const isProtocol = body === undefined && operation.who === "clientKey" && operation.method === "post";
  return (
    <>
      <Heading title={nameOf(operation)}>
        <a class="button small" href="/docs">
          {text.all}
        </a>
      </Heading>
      <p>{operation.summary}</p>
      <p class="muted">{text.key[operation.who]}</p>
      <div class="cards">
        <Card title={text.try} wide>
          <Code view={view} text={curlOf(view, operation)} label={text.try} />
          {isProtocol ? <p class="hint">{text.anyBody}</p> : null}
        </Card>
        <Parameters view={view} operation={operation} />
        {body === undefined ? null : <Fields view={view} title={text.body} schema={body} />}
        {answer === undefined ? null : <Fields view={view} title={text.answer} schema={answer} />}
      </div>
    </>
  );
}

function Group({ view, title, operations }: { view: View; title: string; operations: readonly Operation[] }) {
  const text = words(view.locale);
  if (operations.length === 0) return null;
  return (
    <Card title={title}>
      <Table caption={title} head={[text.call, text.what]}>
        {operations.map((operation) => (
          <tr>
            <td class="main-cell">
              <a class="mono breaks" href={`/docs?operation=${encodeURIComponent(nameOf(operation))}`}>
                {nameOf(operation)}
              </a>
            </td>
            <td>{operation.summary}</td>
          </tr>
        ))}
      </Table>
    </Card>
  );
}

async function docsPage(view: View): Promise<Response> {
  const text = words(view.locale);
  const operations = await operationsOf(view);
  const wanted = view.url.searchParams.get("operation");
  if (wanted !== null) {
    const operation = operations.find((each) => nameOf(each) === wanted);
    if (operation === undefined) return refuse(view, "notFound");
    return render(view, { title: nameOf(operation), isOpen: true }, <OperationPage view={view} operation={operation} />);
  }
  const query = (view.url.searchParams.get("q") ?? "").slice(0, 100);
  const asked = query.toLowerCase().split(/\s+/);
  const found = operations.filter((each) => asked.every((word) => `${nameOf(each)} ${each.summary}`.toLowerCase().includes(word)));
  return render(
    view,
    { title: text.title, isOpen: true },
    <>
      <Heading title={text.title}>
        <a class="button small" href="/openapi.json">
          {text.machine}
        </a>
      </Heading>
      <p class="muted">{text.why}</p>
      <form class="form inline" method="get" action="/docs">
        <Field label={text.search} name="q" value={query} />
        <button type="submit">{text.show}</button>
      </form>
      {found.length === 0 ? (
        <Card>
          <Empty title={text.none}>
            <p>{text.noneWhy}</p>
          </Empty>
        </Card>
      ) : null}
      {(["clientKey", "adminKey", "none"] as const).map((who) => (
        <Group view={view} title={text.groups[who]} operations={found.filter((each) => each.who === who)} />
      ))}
    </>,
  );
}

export const docsPages: Page = { routes: [{ for: "anybody", method: "GET", path: "/docs", answer: docsPage }] };
