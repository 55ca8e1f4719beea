/** One request: how it went in time, at which providers, what it used, and its cost written out with its numbers. */
import { type PricedRequest, pricedRequest } from "../../../db/priced-request.ts";
import { usageShards } from "../../../db/usage-shards.ts";
import { type RequestView, requestViewSchema } from "../../../schema/request.ts";
import { ceilDiv } from "../../cost/cost.ts";
import { decimal, decimalOf, duration, exactRoubles, integer } from "../frame/format.ts";
import { callAsAccount } from "../frame/gateway-call.ts";
import { render } from "../frame/layout.tsx";
import { Live } from "../frame/live.tsx";
import { Card, Code, Heading, Instant, Notice, Table } from "../frame/parts.tsx";
import { refuse } from "../frame/refusals.tsx";
import { StateBadge, stateText } from "../frame/states.tsx";
import type { OrganisationView, Page } from "../frame/view.ts";
import { bilingual, common } from "../frame/words.ts";

const BPS = 10_000n;
const SCALE = 10n ** 16n;

const words = bilingual({
  en: {
    title: "Request",
    facts: "Facts",
    protocol: "Protocol",
    ttft: "First token",
    total: "In all",
    speed: "Tokens per second",
    finish: "Finish reason",
    charged: "Charged",
    hold: "Held at admission",
    timeline: "In time",
    timelineWhy: "Each line is a step that was stored before the next one began.",
    attempts: "Attempts",
    status: "Status",
    legs: "Calls of the ensemble",
    usage: "Usage and cost",
    classes: {
      input: "Input",
      cache_read: "Cache read",
      cache_write_5m: "Cache write, 5 min",
      cache_write_1h: "Cache write, 1 h",
      output: "Output",
    },
    perMillion: "USD per million",
    inUsd: "USD",
    fee: "Fee of the request",
    providerCost: "Provider's cost",
    formula: "Cost = provider's cost × exchange rate × markup, rounded up once:",
    agrees: "This is exactly what is stored.",
    differs: (stored: string) => `The stored cost is ${stored}: this request is of several calls, each with prices of its own.`,
    notYet: "The prices show up here once the request has ended and its row is stored, usually within a second.",
    source: { provider: "reported by the provider", estimated: "estimated by us", cut: "reported, but the stream was cut" },
    error: "Error",
    flagged: "Flagged",
    curl: "Ask for it again",
    version: "Prices of",
    step: "Step",
  },
  ru: {
    title: "Запрос",
    facts: "Сведения",
    protocol: "Протокол",
    ttft: "Первый токен",
    total: "Всего",
    speed: "Токенов в секунду",
    finish: "Причина конца",
    charged: "Списано",
    hold: "Удержано при приёме",
    timeline: "Во времени",
    timelineWhy: "Каждая строка — шаг, записанный до начала следующего.",
    attempts: "Попытки",
    status: "Статус",
    legs: "Вызовы ансамбля",
    usage: "Расход и стоимость",
    classes: {
      input: "Вход",
      cache_read: "Чтение кэша",
      cache_write_5m: "Запись кэша, 5 мин",
      cache_write_1h: "Запись кэша, 1 ч",
      output: "Выход",
    },
    perMillion: "USD за миллион",
    inUsd: "USD",
    fee: "Плата за запрос",
    providerCost: "Себестоимость",
    formula: "Стоимость = себестоимость × курс × наценка, с одним округлением вверх:",
    agrees: "Ровно столько и записано.",
    differs: (stored: string) => `Записана стоимость ${stored}: в запросе несколько вызовов, у каждого свои цены.`,
    notYet: "Цены появятся, когда запрос завершится и его строка запишется, обычно за секунду.",
    source: { provider: "сообщил провайдер", estimated: "наша оценка", cut: "сообщено, но поток оборвался" },
    error: "Ошибка",
    flagged: "Пометка",
    curl: "Повторить вопрос о нём",
    version: "Цены от",
    step: "Шаг",
  },
});

/** Pico-USD as dollars, every digit that matters. */
function usdOf(pico: bigint): string {
  const digits = pico.toString().padStart(13, "0");
  return `${digits.slice(0, -12)}.${digits.slice(-12)}`.replace(/\.?0+$/, "");
}

function Facts({ view, request, priced }: { view: OrganisationView; request: RequestView; priced: PricedRequest | null }) {
  const text = words(view.locale);
  const shared = common(view.locale);
  const { timings } = request;
  const hold = priced?.holdMicroRub ?? null;
  const rows: [string, string | null][] = [
    [shared.model, request.model],
    [shared.provider, priced?.provider ?? null],
    [text.protocol, request.protocol],
    [text.ttft, timings.ttft_ms === null ? null : duration(timings.ttft_ms, view.locale)],
    [text.total, timings.duration_ms === null ? null : duration(timings.duration_ms, view.locale)],
    [text.speed, timings.output_tokens_per_second === null ? null : decimal(timings.output_tokens_per_second, view.locale)],
    [text.finish, request.finish_reason],
    [text.hold, hold === null ? null : exactRoubles(hold, view.locale)],
    [text.charged, request.charged_micro_rub === null ? null : exactRoubles(request.charged_micro_rub, view.locale)],
    [text.version, request.price_version],
    [text.flagged, request.flagged],
  ];
  return (
    <Card title={text.facts}>
      <dl class="facts">
        {rows
          .filter(([, value]) => value !== null && value !== "")
          .map(([label, value]) => (
            <>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </>
          ))}
      </dl>
    </Card>
  );
}

const ROW_HEIGHT = 28;
/** Shares of the width, in percent, so that the drawing fits any screen with its letters as large as they are. */
const LABELS_UNTIL = 30;
const BARS_UNTIL = 80;

/** Steps as bars, each from its own instant to the next: what took the time is what is long. */
function Waterfall({ view, request }: { view: OrganisationView; request: RequestView }) {
  const text = words(view.locale);
  const frames = request.lifecycle;
  const begin = frames[0]?.at ?? 0;
  const span = Math.max(1, (frames.at(-1)?.at ?? 0) - begin);
  const x = (at: number): number => LABELS_UNTIL + ((at - begin) / span) * (BARS_UNTIL - LABELS_UNTIL);
  return (
    <Card title={text.timeline} wide>
      <p class="muted">{text.timelineWhy}</p>
      <div class="waterfall" tabindex={0} role="region" aria-label={text.timeline}>
        <svg width="100%" height={frames.length * ROW_HEIGHT} role="img" aria-label={text.timeline}>
          {frames.map((frame, index) => {
            const until = frames[index + 1]?.at ?? frame.at;
            const y = index * ROW_HEIGHT;
            return (
              <g>
                <text x="0" y={y + 18} class="bar-label">
                  {stateText(view, frame.event)}
                </text>
                <rect
                  class={`bar-${frame.event}`}
                  x={`${x(frame.at)}%`}
                  y={y + 8}
                  width={`${Math.max(0.5, x(until) - x(frame.at))}%`}
                  height="12"
                  rx="3"
                />
                <text x={`${Math.max(x(until), x(frame.at) + 0.5)}%`} dx="6" y={y + 18} class="bar-time">
                  {`+${duration(frame.at - begin, view.locale)}`}
                </text>
              </g>
            );
          })}
        </svg>
      </div>
      <details>
        <summary>{common(view.locale).tableOf(text.timeline)}</summary>
        <Table caption={text.timeline} head={[text.step, common(view.locale).time]}>
          {frames.map((frame) => (
            <tr>
              <td>{stateText(view, frame.event)}</td>
              <td>
                <Instant view={view} at={frame.at} /> (+{duration(frame.at - begin, view.locale)})
              </td>
            </tr>
          ))}
        </Table>
      </details>
    </Card>
  );
}

function Attempts({ view, request }: { view: OrganisationView; request: RequestView }) {
  const text = words(view.locale);
  const shared = common(view.locale);
  return (
    <Card title={text.attempts}>
      <Table caption={text.attempts} head={[shared.provider, shared.model, text.status, shared.time]}>
        {request.attempts.map((attempt) => (
          <tr>
            <td>{attempt.provider}</td>
            <td class="breaks">{attempt.model}</td>
            <td>
              {attempt.status ?? "–"}
              {attempt.error_code === null ? null : <div class="hint">{attempt.error_code}</div>}
            </td>
            <td>
              <Instant view={view} at={attempt.started_at} />
            </td>
          </tr>
        ))}
      </Table>
    </Card>
  );
}

function Legs({ view, request }: { view: OrganisationView; request: RequestView }) {
  const text = words(view.locale);
  const shared = common(view.locale);
  return (
    <Card title={text.legs} wide>
      <Table caption={text.legs} head={["", shared.model, shared.state, `#${shared.tokens}`, `#${shared.cost}`]}>
        {(request.legs ?? []).map((leg) => (
          <tr>
            <td>{leg.node}</td>
            <td class="breaks">{`${leg.provider}/${leg.model}`}</td>
            <td>{leg.error_code ?? stateText(view, leg.state)}</td>
            <td class="number">{leg.usage === null ? "–" : `${leg.usage.input_tokens ?? "?"} / ${leg.usage.output_tokens ?? "?"}`}</td>
            <td class="number">{exactRoubles(leg.cost_micro_rub, view.locale)}</td>
          </tr>
        ))}
      </Table>
    </Card>
  );
}

/** The formula of contract §5 over the stored inputs, so that the reader can follow every step, and whether it gives what is stored. */
function Cost({ view, request, priced }: { view: OrganisationView; request: RequestView; priced: PricedRequest | null }) {
  const text = words(view.locale);
  const shared = common(view.locale);
  if (priced === null) {
    return (
      <Card title={text.usage} wide>
        <p class="muted">{text.notYet}</p>
      </Card>
    );
  }
  const lines = priced.lines.filter((line) => line.tokens !== null && line.tokens > 0);
  const sum = lines.reduce((total, line) => total + BigInt(line.tokens ?? 0) * line.picoUsd, priced.requestPicoUsd);
  const markup = BPS + BigInt(priced.markupBps);
  const cost = ceilDiv(sum * priced.fxMicroRubPerUsd * markup, SCALE);
  const stored = priced.costMicroRub;
  return (
    <Card title={text.usage} wide>
      {request.usage_source === null ? null : <p class="muted">{text.source[request.usage_source]}</p>}
      <Table caption={text.usage} head={["", ...[shared.tokens, text.perMillion, text.inUsd].map((title) => `#${title}`)]}>
        {lines.map((line) => (
          <tr>
            <th scope="row">{text.classes[line.class]}</th>
            <td class="number">{integer(line.tokens ?? 0, view.locale)}</td>
            <td class="number">{decimalOf(line.picoUsd).replace(/\.?0+$/, "")}</td>
            <td class="number mono">{usdOf(BigInt(line.tokens ?? 0) * line.picoUsd)}</td>
          </tr>
        ))}
        {priced.requestPicoUsd === 0n ? null : (
          <tr>
            <th scope="row">{text.fee}</th>
            <td></td>
            <td></td>
            <td class="number mono">{usdOf(priced.requestPicoUsd)}</td>
          </tr>
        )}
        <tr>
          <th scope="row">{text.providerCost}</th>
          <td></td>
          <td></td>
          <td class="number mono">{usdOf(sum)}</td>
        </tr>
      </Table>
      {stored === null ? null : (
        <>
          <p>{text.formula}</p>
          <p class="mono breaks formula">
            {`⌈ ${usdOf(sum)} × ${decimalOf(priced.fxMicroRubPerUsd).replace(/\.?0+$/, "")} × ${decimalOf(markup * 100n).replace(/\.?0+$/, "")} ⌉ = ${exactRoubles(cost, view.locale)}`}
          </p>
          <p class={cost === stored ? "muted" : ""}>{cost === stored ? text.agrees : text.differs(exactRoubles(stored, view.locale))}</p>
        </>
      )}
    </Card>
  );
}

async function requestPage(view: OrganisationView): Promise<Response> {
  const text = words(view.locale);
  const { env, organisation, params } = view;
  const id = params["id"] ?? "";
  const called = await callAsAccount(view, `/v1/requests/${encodeURIComponent(id)}`, requestViewSchema);
  if (!called.ok) return refuse(view, "notFound");
  const request = called.value;
  const priced = await pricedRequest((await usageShards(env)).of(organisation.account_id), organisation.account_id, id);
  const isOver = request.settlement !== null;
  const curl = `curl ${view.url.origin}/v1/requests/${id} -H "authorization: Bearer $PLYRUM_API_KEY"`;
  return render(
    view,
    { title: text.title, islands: isOver ? [] : ["live.js"] },
    <>
      <Heading title={text.title}>
        {isOver ? null : <Live view={view} request={id} />}
        <StateBadge view={view} state={request.state} />
        <a class="button small" href={view.href("/requests")}>
          {common(view.locale).back}
        </a>
      </Heading>
      <p class="mono breaks muted">{id}</p>
      {request.error === null ? null : <Notice kind="bad">{`${request.error.code}: ${request.error.message}`}</Notice>}
      <div class="cards">
        {request.lifecycle.length === 0 ? null : <Waterfall view={view} request={request} />}
        <Facts view={view} request={request} priced={priced} />
        {request.attempts.length === 0 ? null : <Attempts view={view} request={request} />}
        {request.legs === undefined ? null : <Legs view={view} request={request} />}
        <Cost view={view} request={request} priced={priced} />
      </div>
      <Card title={text.curl}>
        <Code view={view} text={curl} label={text.curl} />
      </Card>
    </>,
  );
}

export const requestPages: Page = {
  routes: [{ for: "organisation", method: "GET", path: "/requests/:id", may: "requests.view", answer: requestPage }],
};
