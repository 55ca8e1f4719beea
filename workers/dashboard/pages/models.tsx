/** Models and their prices in roubles, after exchange rate and markup. Search, filter and order are in the address, so that a view can be kept and sent. */
import { z } from "zod";
import type { AddressView } from "../../../schema/routing.ts";
import { LIMITS } from "../../../schema/limits.ts";
import type { PriceDocument } from "../../../schema/price.ts";
import { compact, day, exactRoubles, integer, percent } from "../frame/format.ts";
import { HealthBadge, healthOfProvider } from "../frame/health.tsx";
import { render } from "../frame/layout.tsx";
import { Card, Empty, Field, Heading, Select, Table } from "../frame/parts.tsx";
import { CAPABILITIES, type Capability, type PricedModel, pricedModels } from "../frame/priced-models.ts";
import type { OrganisationView, Page } from "../frame/view.ts";
import { bilingual, common } from "../frame/words.ts";

const ROWS_SHOWN = 40;
const ORDERS = ["name", "input", "output", "context"] as const;
const BPS = 10_000;

export const capabilityWords = bilingual({
  en: {
    tools: "tools",
    reasoning: "reasoning",
    structured_output: "JSON schema",
    image_input: "images",
    audio_input: "audio",
    embeddings: "embeddings",
  } satisfies Record<Capability, string>,
  ru: {
    tools: "инструменты",
    reasoning: "рассуждения",
    structured_output: "схема JSON",
    image_input: "картинки",
    audio_input: "звук",
    embeddings: "векторы",
  },
});

const words = bilingual({
  en: {
    title: "Models & prices",
    search: "Search",
    any: "Any",
    capability: "Can do",
    order: "Order",
    orders: { name: "By name", input: "Cheapest input", output: "Cheapest output", context: "Longest context" },
    show: "Show",
    context: "Context",
    input: "Input, 1M",
    cached: "Cached, 1M",
    output: "Output, 1M",
    health: "Health",
    simulate: "Simulate",
    simulateOf: (model: string) => `Simulate the cost of ${model}`,
    found: (count: string) => `Models: ${count}`,
    none: "No such model",
    noneWhy: "No model fits this search. Take a word out of it, or another capability.",
    noModels: "No provider is on",
    noModelsWhy: "Put a provider's key into the environment or the configuration; its models show up here by themselves.",
    basis: (rate: string, date: string, markup: string) =>
      `Roubles per million tokens at ${rate} a dollar (${date}) and a markup of ${markup}.`,
    version: (version: string) => `Price document ${version}`,
  },
  ru: {
    title: "Модели и цены",
    search: "Поиск",
    any: "Любые",
    capability: "Умеет",
    order: "Порядок",
    orders: { name: "По имени", input: "Дешевле вход", output: "Дешевле выход", context: "Длиннее контекст" },
    show: "Показать",
    context: "Контекст",
    input: "Вход, 1 млн",
    cached: "Кэш, 1 млн",
    output: "Выход, 1 млн",
    health: "Здоровье",
    simulate: "Рассчитать",
    simulateOf: (model: string) => `Рассчитать стоимость ${model}`,
    found: (count: string) => `Моделей: ${count}`,
    none: "Такой модели нет",
    noneWhy: "Под этот поиск ничего не подходит. Уберите слово или выберите другое умение.",
    noModels: "Провайдеры не включены",
    noModelsWhy: "Добавьте ключ провайдера в окружение или конфигурацию, и его модели появятся здесь сами.",
    basis: (rate: string, date: string, markup: string) =>
      `Рубли за миллион токенов по курсу ${rate} за доллар (${date}) с наценкой ${markup}.`,
    version: (version: string) => `Прейскурант ${version}`,
  },
});

const filterSchema = z.object({
  q: z.string().trim().max(LIMITS.modelNameCharacters).catch(""),
  provider: z.string().max(80).catch(""),
  can: z.enum(CAPABILITIES).nullable().catch(null),
  order: z.enum(ORDERS).catch("name"),
  page: z.coerce.number().int().min(1).max(1_000).catch(1),
});
type Filter = z.infer<typeof filterSchema>;

function filterOf({ url }: OrganisationView): Filter {
  return filterSchema.parse(Object.fromEntries(Object.keys(filterSchema.shape).map((name) => [name, url.searchParams.get(name)])));
}

function byAmount(left: bigint, right: bigint): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

const COMPARE: Readonly<Record<(typeof ORDERS)[number], (left: PricedModel, right: PricedModel) => number>> = {
  name: () => 0,
  input: (left, right) => byAmount(left.input, right.input),
  output: (left, right) => byAmount(left.output, right.output),
  context: (left, right) => (right.contextTokens ?? 0) - (left.contextTokens ?? 0),
};

/** Every word of the search must be in the slug or the name. */
function select(models: readonly PricedModel[], filter: Filter): PricedModel[] {
  const wanted = filter.q.toLowerCase().split(/\s+/);
  const fits = (model: PricedModel): boolean => {
    const text = `${model.id} ${model.name}`.toLowerCase();
    if (filter.provider !== "" && model.provider !== filter.provider) return false;
    return wanted.every((word) => text.includes(word)) && (filter.can === null || model.capabilities.includes(filter.can));
  };
  const byName = models.filter(fits).toSorted((left, right) => (left.id < right.id ? -1 : 1));
  return byName.toSorted(COMPARE[filter.order]);
}

function Filters({ view, filter, models }: { view: OrganisationView; filter: Filter; models: readonly PricedModel[] }) {
  const text = words(view.locale);
  const names = capabilityWords(view.locale);
  const any = { value: "", label: text.any };
  const providers = [...new Set(models.map((model) => model.provider))].toSorted();
  return (
    <form class="form inline" method="get" action={view.href("/models")}>
      <Field label={text.search} name="q" value={filter.q} />
      <Select
        label={common(view.locale).provider}
        name="provider"
        options={[any, ...providers.map((id) => ({ value: id, label: id }))]}
        value={filter.provider}
      />
      <Select
        label={text.capability}
        name="can"
        options={[any, ...CAPABILITIES.map((each) => ({ value: each, label: names[each] }))]}
        value={filter.can ?? ""}
      />
      <Select
        label={text.order}
        name="order"
        options={ORDERS.map((each) => ({ value: each, label: text.orders[each] }))}
        value={filter.order}
      />
      <button type="submit">{text.show}</button>
    </form>
  );
}

function ModelLine({ view, model, addresses }: { view: OrganisationView; model: PricedModel; addresses: readonly AddressView[] }) {
  const text = words(view.locale);
  const names = capabilityWords(view.locale);
  const amount = (value: bigint | null): string => (value === null ? "–" : exactRoubles(value, view.locale));
  const seen = healthOfProvider(addresses, model.provider);
  return (
    <tr>
      <td class="main-cell">
        {model.name === model.id ? null : <strong>{model.name}</strong>}
        <div class="mono breaks">{model.id}</div>
        <div class="tags">
          {model.capabilities.map((each) => (
            <span class="badge">{names[each]}</span>
          ))}
        </div>
      </td>
      <td class="number">{model.contextTokens === null ? "–" : compact(model.contextTokens, view.locale)}</td>
      <td class="number">{amount(model.input)}</td>
      <td class="number">{amount(model.cacheRead)}</td>
      <td class="number">{amount(model.output)}</td>
      <td>{seen === null ? "–" : <HealthBadge view={view} health={seen} />}</td>
      <td class="number">
        <a href={view.href(`/models/cost?model=${encodeURIComponent(model.id)}`)} aria-label={text.simulateOf(model.id)}>
          {text.simulate}
        </a>
      </td>
    </tr>
  );
}

/** What the prices of the page are made of, beside the providers' own. */
export function priceBasis(view: OrganisationView, { fx, markup_bps: markup }: PriceDocument): string {
  const rate = exactRoubles(fx.micro_rub_per_usd, view.locale);
  return words(view.locale).basis(rate, day(fx.date, view.locale), percent(markup / BPS, view.locale, 2));
}

function Pages({ view, page, pages }: { view: OrganisationView; page: number; pages: number }) {
  const at = (number: number): string => {
    const url = new URL(view.url);
    url.searchParams.set("page", String(number));
    return url.pathname + url.search;
  };
  const shared = common(view.locale);
  if (pages < 2) return null;
  return (
    <div class="pages">
      {page > 1 ? <a href={at(page - 1)}>{shared.back}</a> : <span></span>}
      {page < pages ? <a href={at(page + 1)}>{shared.next}</a> : null}
    </div>
  );
}

function Found({
  view,
  found,
  filter,
}: {
  view: OrganisationView;
  found: { models: PricedModel[]; addresses: AddressView[] };
  filter: Filter;
}) {
  const text = words(view.locale);
  const { models, addresses } = found;
  const pages = Math.max(1, Math.ceil(models.length / ROWS_SHOWN));
  const page = Math.min(filter.page, pages);
  const shown = models.slice((page - 1) * ROWS_SHOWN, page * ROWS_SHOWN);
  return (
    <>
      <p class="hint">{text.found(integer(models.length, view.locale))}</p>
      <Table caption={text.title} head={[common(view.locale).model, text.context, text.input, text.cached, text.output, text.health, ""]}>
        {shown.map((model) => (
          <ModelLine view={view} model={model} addresses={addresses} />
        ))}
      </Table>
      <Pages view={view} page={page} pages={pages} />
    </>
  );
}

async function modelsPage(view: OrganisationView): Promise<Response> {
  const text = words(view.locale);
  const filter = filterOf(view);
  const [{ prices, models }, addresses] = await Promise.all([pricedModels(view), view.account.addresses()]);
  const found = select(models, filter);
  const isEmpty = models.length === 0;
  return render(
    view,
    { title: text.title },
    <>
      <Heading title={text.title}>
        <span class="hint">{text.version(prices.version)}</span>
      </Heading>
      <p class="muted">{priceBasis(view, prices)}</p>
      <Card>
        {isEmpty ? null : <Filters view={view} filter={filter} models={models} />}
        {found.length > 0 ? (
          <Found view={view} found={{ models: found, addresses }} filter={filter} />
        ) : (
          <Empty title={isEmpty ? text.noModels : text.none}>
            <p>{isEmpty ? text.noModelsWhy : text.noneWhy}</p>
          </Empty>
        )}
      </Card>
    </>,
  );
}

export const modelsPages: Page = {
  navigation: { path: "/models", icon: "models", label: { en: "Models & prices", ru: "Модели и цены" }, may: "models.view" },
  routes: [{ for: "organisation", method: "GET", path: "/models", may: "models.view", answer: modelsPage }],
};
