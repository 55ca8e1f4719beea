/**
 * Ask models side by side, in any of the wire formats, and see tokens, time and cost as they arrive. The page's script speaks the very
 * formats clients speak; the gateway sees an ordinary key of the person's own, made for this, whose text nobody ever gets to see.
 */
import { createHmac } from "node:crypto";
import { formatKey, NO_KEY_LIMITS } from "../../../schema/key.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { readBytesBounded } from "../../runtime/read-bounded.ts";
import { render } from "../frame/layout.tsx";
import { Card, Data, Heading } from "../frame/parts.tsx";
import { pricedModels } from "../frame/priced-models.ts";
import { refuse } from "../frame/refusals.tsx";
import type { OrganisationView, Page } from "../frame/view.ts";
import { bilingual, common } from "../frame/words.ts";
import { derivedSecret, hashOf } from "../people/secrets.ts";

/** Where a format's calls go; `{model}` stands in the path for formats that name it there. */
const PATHS = {
  "openai-chat": "/v1/chat/completions",
  "openai-responses": "/v1/responses",
  "anthropic-messages": "/v1/messages",
  gemini: "/v1beta/models/{model}:streamGenerateContent?alt=sse",
  "ollama-chat": "/api/chat",
} as const;
type PlaygroundProtocol = keyof typeof PATHS;

const LABELS: Readonly<Record<PlaygroundProtocol, string>> = {
  "openai-chat": "OpenAI Chat Completions",
  "openai-responses": "OpenAI Responses",
  "anthropic-messages": "Anthropic Messages",
  gemini: "Gemini",
  "ollama-chat": "Ollama",
};

const words = bilingual({
  en: {
    title: "Playground",
    format: "Format",
    message: "Message",
    placeholder: "Ask something",
    system: "Instructions (optional)",
    cap: "At most output tokens",
    send: "Send",
    stop: "Stop",
    add: "Add a model beside",
    remove: "Remove",
    models: "Models",
    why: "Answers are streamed and charged to this organisation's balance like any other request.",
    tokens: "tokens",
    firstToken: "first token",
    open: "Open the request",
    failed: "No answer",
    needsScript: "The playground needs scripts.",
    waiting: "…",
  },
  ru: {
    title: "Песочница",
    format: "Формат",
    message: "Сообщение",
    placeholder: "Спросите что-нибудь",
    system: "Указания (необязательно)",
    cap: "Не больше токенов на выходе",
    send: "Отправить",
    stop: "Остановить",
    add: "Добавить модель рядом",
    remove: "Убрать",
    models: "Модели",
    why: "Ответы идут потоком и списываются с баланса организации, как любой другой запрос.",
    tokens: "токенов",
    firstToken: "первый токен",
    open: "Открыть запрос",
    failed: "Ответа нет",
    needsScript: "Песочнице нужны скрипты.",
    waiting: "…",
  },
});

async function playground(view: OrganisationView): Promise<Response> {
  const text = words(view.locale);
  const models = (await pricedModels(view)).models.filter((model) => !model.capabilities.includes("embeddings"));
  const first = view.url.searchParams.get("model") ?? models[0]?.id ?? "";
  const data = { action: view.href("/playground"), requests: view.href("/requests"), words: text, models: [first] };
  return render(
    view,
    { title: text.title, islands: ["playground.js"] },
    <>
      <Heading title={text.title} />
      <p class="muted">{text.why}</p>
      <noscript>
        <p class="notice bad">{text.needsScript}</p>
      </noscript>
      <Data id="playground-data" value={data} />
      <datalist id="playground-models">
        {models.map((model) => (
          <option value={model.id}></option>
        ))}
      </datalist>
      <Card>
        <form class="form" id="playground-form">
          <div class="form grid">
            <div class="field">
              <label for="playground-format">{text.format}</label>
              <select id="playground-format">
                {Object.entries(LABELS).map(([id, label]) => (
                  <option value={id}>{label}</option>
                ))}
              </select>
            </div>
            <div class="field">
              <label for="playground-cap">{text.cap}</label>
              <input id="playground-cap" type="number" min="1" max="32000" value="500" />
            </div>
          </div>
          <div class="field">
            <label for="playground-system">{text.system}</label>
            <input id="playground-system" />
          </div>
          <div class="field">
            <label for="playground-message">{text.message}</label>
            <textarea id="playground-message" placeholder={text.placeholder} required></textarea>
          </div>
          <div class="row">
            <button class="primary" type="submit">
              {text.send}
            </button>
            <button type="button" id="playground-stop" disabled>
              {text.stop}
            </button>
            <button type="button" id="playground-add">
              {text.add}
            </button>
          </div>
        </form>
      </Card>
      <div class="cards" id="playground-columns" aria-label={common(view.locale).model}></div>
    </>,
  );
}

/** The person's own key of this month for the playground: made again from the deployment's secret whenever it is needed, and stored as a hash only. */
async function playgroundKey(view: OrganisationView): Promise<string> {
  const { env, organisation, person } = view;
  const month = new Date().toISOString().slice(0, 7);
  const secret = derivedSecret(env, `playground:${organisation.id}:${person.id}:${month}`);
  const parts = ["id", "secret"].map((part) => new Uint8Array(createHmac("sha256", secret).update(part).digest()));
  const random = new Uint8Array([...(parts[0] ?? []).slice(0, 8), ...(parts[1] ?? [])]);
  const hmac = (text: string): Uint8Array => new Uint8Array(createHmac("sha256", env.PLYRUM_KEY_SECRET).update(text).digest());
  const { key, keyId } = formatKey({ kind: "test", accountId: organisation.account_id, random }, hmac);
  const name = `playground ${month} ${person.email}`.slice(0, 128);
  await view.account.createKey({ key_id: keyId, key_hash: hashOf(key), name, limits: NO_KEY_LIMITS });
  return key;
}

/** Passes one request on. The answer is the gateway's own, byte for byte, and ends with the browser's call. */
async function infer(view: OrganisationView): Promise<Response> {
  const protocol = Object.keys(PATHS).find((id): id is PlaygroundProtocol => id === view.params["protocol"]);
  const model = view.url.searchParams.get("model") ?? "";
  const body = view.form === null ? await readBytesBounded(view.request, LIMITS.playgroundBodyBytes) : null;
  if (protocol === undefined || body === null || model.length > LIMITS.modelNameCharacters) return refuse(view, "notFound");
  const headers = new Headers({ authorization: `Bearer ${await playgroundKey(view)}`, "content-type": "application/json" });
  if (protocol === "anthropic-messages") headers.set("anthropic-version", "2023-06-01");
  const path = PATHS[protocol].replace("{model}", model.split("/").map(encodeURIComponent).join("/"));
  const request = new Request(new URL(path, view.request.url), { method: "POST", headers, body, signal: view.request.signal });
  return view.ports.asCaller(request, view.env, view.context);
}

export const playgroundPages: Page = {
  navigation: { path: "/playground", icon: "playground", label: { en: "Playground", ru: "Песочница" }, may: "playground" },
  routes: [
    { for: "organisation", method: "GET", path: "/playground", may: "playground", answer: playground },
    { for: "organisation", method: "POST", path: "/playground/:protocol", may: "playground", answer: infer },
  ],
};
