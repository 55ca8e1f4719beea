/** The cost simulator: tokens in, micro-roubles out, with the formula of a charge written out in its numbers, and what other models would take. */
import { z } from "zod";
import { LIMITS } from "../../../schema/limits.ts";
import type { Usage } from "../../../schema/usage.ts";
import { type Cost, costOf } from "../../cost/cost.ts";
import { exactRoubles, integer } from "../frame/format.ts";
import { render } from "../frame/layout.tsx";
import { Card, Empty, Field, Figure, Heading, Notice, Table } from "../frame/parts.tsx";
import { type PricedModel, pricedModels } from "../frame/priced-models.ts";
import type { OrganisationView, Page } from "../frame/view.ts";
import { bilingual, common } from "../frame/words.ts";
import { priceBasis } from "./models.tsx";

const OTHERS_SHOWN = 8;
const BPS = 10_000n;
const THOUSAND = 1_000n;

const words = bilingual({
  en: {
    title: "Cost simulator",
    input: "Input tokens",
    cached: "Cached tokens",
    cachedHint: "Part of the prompt that the provider has kept.",
    written: "Cache-write tokens",
    output: "Output tokens",
    count: "Requests",
    calculate: "Calculate",
    one: "One request",
    all: (count: string) => `${count} requests`,
    formula: "The formula of every charge",
    formulaWhy:
      "Tokens × price in pico-dollars, summed up, × micro-roubles a dollar × (10,000 + markup in basis points), divided by 10¹⁶ and rounded up once.",
    classes: {
      input: "Input",
      cache_read: "Cached",
      cache_write_5m: "Cache write",
      cache_write_1h: "Cache write, 1 h",
      output: "Output",
      request: "Fee",
    },
    price: "Pico-USD a token",
    flagged: "The provider has no price for one of these classes; it is charged at the input price.",
    noModel: "There is no such model here. Choose one of the list.",
    others: "The same on other models",
    othersWhy: "The cheapest models that take a prompt of this length.",
    empty: "Nothing to calculate yet",
    emptyWhy: "Choose a model and say how many tokens go in and come out.",
  },
  ru: {
    title: "Расчёт стоимости",
    input: "Токенов на входе",
    cached: "Из кэша",
    cachedHint: "Часть запроса, которую провайдер уже хранит.",
    written: "Записано в кэш",
    output: "Токенов на выходе",
    count: "Запросов",
    calculate: "Рассчитать",
    one: "Один запрос",
    all: (count: string) => `Запросов: ${count}`,
    formula: "Формула любого списания",
    formulaWhy:
      "Токены × цена в пикодолларах, в сумме, × микрорублей за доллар × (10 000 + наценка в базисных пунктах), делится на 10¹⁶ и округляется вверх один раз.",
    classes: {
      input: "Вход",
      cache_read: "Из кэша",
      cache_write_5m: "Запись в кэш",
      cache_write_1h: "Запись в кэш, 1 ч",
      output: "Выход",
      request: "Плата",
    },
    price: "Пикодолларов за токен",
    flagged: "Для одного из видов токенов у провайдера нет цены; он считается по цене входа.",
    noModel: "Такой модели здесь нет. Выберите из списка.",
    others: "То же на других моделях",
    othersWhy: "Самые дешёвые модели, в которые войдёт запрос такой длины.",
    empty: "Пока нечего считать",
    emptyWhy: "Выберите модель и укажите, сколько токенов войдёт и выйдет.",
  },
});

const tokens = (usual: number) => z.coerce.number().int().min(0).max(LIMITS.tokensPerClassMax).catch(usual);
const askedSchema = z.object({
  model: z
    .string()
    .max(2 * LIMITS.modelNameCharacters)
    .catch(""),
  input: tokens(2_000),
  cached: tokens(0),
  written: tokens(0),
  output: tokens(500),
  count: z.coerce.number().int().min(1).max(1_000_000_000).catch(1),
});
type Asked = z.infer<typeof askedSchema>;

function askedOf({ url }: OrganisationView): Asked {
  // A field left out is not the number zero.
  const given = [...url.searchParams].filter(([, value]) => value.trim() !== "");
  return askedSchema.parse(Object.fromEntries(given));
}

function usageOf(asked: Asked): Usage {
  return {
    input_tokens: asked.input,
    cache_read_tokens: asked.cached,
    cache_write_5m_tokens: asked.written,
    cache_write_1h_tokens: null,
    output_tokens: asked.output,
    reasoning_tokens: null,
  };
}

function Question({ view, asked, models }: { view: OrganisationView; asked: Asked; models: readonly PricedModel[] }) {
  const text = words(view.locale);
  return (
    <form class="form grid" method="get" action={view.href("/models/cost")}>
      <div class="field whole">
        <label for="cost-model">{common(view.locale).model}</label>
        <input id="cost-model" name="model" list="cost-models" value={asked.model} required autocomplete="off" />
        <datalist id="cost-models">
          {models.map((model) => (
            <option value={model.id}></option>
          ))}
        </datalist>
      </div>
      <Field label={text.input} name="input" type="number" value={String(asked.input)} />
      <Field label={text.output} name="output" type="number" value={String(asked.output)} />
      <Field label={text.cached} name="cached" type="number" value={String(asked.cached)} hint={text.cachedHint} />
      <Field label={text.written} name="written" type="number" value={String(asked.written)} />
      <Field label={text.count} name="count" type="number" value={String(asked.count)} />
      <div class="whole">
        <button class="primary" type="submit">
          {text.calculate}
        </button>
      </div>
    </form>
  );
}

/** Every line of the sum, and the one division, with nothing left out. */
function Formula({ view, model, cost }: { view: OrganisationView; model: PricedModel; cost: Cost }) {
  const text = words(view.locale);
  const lines = cost.lines.filter((line) => line.providerCostPicoUsd > 0n);
  const { fx_micro_rub_per_usd: rate, markup_bps: markup } = model.snapshot;
  const sum = lines.map((line) => (line.class === "request" ? `${line.pricePicoUsd}` : `${line.tokens ?? 0} × ${line.pricePicoUsd}`));
  return (
    <Card title={text.formula} wide>
      <p class="muted">{text.formulaWhy}</p>
      <Table caption={text.formula} head={["", common(view.locale).tokens, text.price, common(view.locale).cost]}>
        {lines.map((line) => (
          <tr>
            <th scope="row">{text.classes[line.class]}</th>
            <td class="number">{line.class === "request" ? "" : integer(line.tokens ?? 0, view.locale)}</td>
            <td class="number">{integer(line.pricePicoUsd, view.locale)}</td>
            <td class="number">{exactRoubles(line.costMicroRub, view.locale)}</td>
          </tr>
        ))}
      </Table>
      <p class="mono breaks formula" data-formula>
        {`⌈ (${sum.length === 0 ? "0" : sum.join(" + ")}) × ${rate} × ${BPS + BigInt(markup)} ÷ 10¹⁶ ⌉ = ${cost.costMicroRub} µ₽`}
      </p>
      {cost.flagged === null ? null : <Notice kind="note">{text.flagged}</Notice>}
    </Card>
  );
}

function Result({ view, asked, model }: { view: OrganisationView; asked: Asked; model: PricedModel }) {
  const text = words(view.locale);
  const cost = costOf(model.snapshot, usageOf(asked));
  const total = cost.costMicroRub * BigInt(asked.count);
  const note = (amount: bigint): string => `${integer(amount, view.locale)} µ₽`;
  return (
    <>
      <dl class="figures">
        <Figure label={text.one} value={exactRoubles(cost.costMicroRub, view.locale)} note={note(cost.costMicroRub)} />
        <Figure
          label={text.all(integer(asked.count === 1 ? THOUSAND : asked.count, view.locale))}
          value={exactRoubles(asked.count === 1 ? cost.costMicroRub * THOUSAND : total, view.locale)}
          note={note(asked.count === 1 ? cost.costMicroRub * THOUSAND : total)}
        />
      </dl>
      <Formula view={view} model={model} cost={cost} />
    </>
  );
}

function Others({ view, asked, models }: { view: OrganisationView; asked: Asked; models: readonly PricedModel[] }) {
  const text = words(view.locale);
  const usage = usageOf(asked);
  const prompt = asked.input + asked.cached + asked.written;
  const able = models.filter((model) => (model.contextTokens ?? Infinity) >= prompt && !model.capabilities.includes("embeddings"));
  const costs = able.map((model) => ({ model, cost: costOf(model.snapshot, usage).costMicroRub }));
  const cheapest = costs.toSorted((left, right) => (left.cost < right.cost ? -1 : 1)).slice(0, OTHERS_SHOWN);
  const link = (id: string): string => {
    const url = new URL(view.url);
    url.searchParams.set("model", id);
    return url.pathname + url.search;
  };
  return (
    <Card title={text.others} wide>
      <p class="muted">{text.othersWhy}</p>
      <Table caption={text.others} head={[common(view.locale).model, text.one]}>
        {cheapest.map(({ model, cost }) => (
          <tr>
            <td>
              <a class="breaks" href={link(model.id)}>
                {model.id}
              </a>
            </td>
            <td class="number">{exactRoubles(cost, view.locale)}</td>
          </tr>
        ))}
      </Table>
    </Card>
  );
}

async function costPage(view: OrganisationView): Promise<Response> {
  const text = words(view.locale);
  const asked = askedOf(view);
  const { prices, models } = await pricedModels(view);
  const model = models.find(({ id }) => id === asked.model);
  const isUnknown = asked.model !== "" && model === undefined;
  return render(
    view,
    { title: text.title },
    <>
      <Heading title={text.title}>
        <a class="button small" href={view.href("/models")}>
          {common(view.locale).back}
        </a>
      </Heading>
      <p class="muted">{priceBasis(view, prices)}</p>
      {isUnknown ? <Notice kind="bad">{text.noModel}</Notice> : null}
      <Card>
        <Question view={view} asked={asked} models={models} />
      </Card>
      {model === undefined ? (
        <Card>
          <Empty title={text.empty}>
            <p>{text.emptyWhy}</p>
          </Empty>
        </Card>
      ) : (
        <>
          <Result view={view} asked={asked} model={model} />
          <Others view={view} asked={asked} models={models} />
        </>
      )}
    </>,
  );
}

export const modelCostPages: Page = {
  routes: [{ for: "organisation", method: "GET", path: "/models/cost", may: "models.view", answer: costPage }],
};
