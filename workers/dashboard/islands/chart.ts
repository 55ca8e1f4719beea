/** Draws the charts of a page from the data it brought along; the same data stands in a table beside each chart, for whoever does not see it. */
import uPlot from "uplot";
import { colour, dayWritten, type Kind, written } from "./chart-look.ts";
import { type Json, pageData } from "./read-json.ts";

interface Series {
  label: string;
  kind: Kind;
  values: (number | null)[];
  colour: string | null;
}

const BAR_SHARE = 0.6;
const BAR_PIXELS_MAX = 40;
/** Whole steps of an axis: there is no half a request. */
const STEPS = Array.from({ length: 16 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat();
const LINES = ["accent", "good", "warn", "bad", "muted"];

function numbers(value: unknown): (number | null)[] {
  return Array.isArray(value) ? value.map((each: unknown) => (typeof each === "number" ? each : null)) : [];
}

function seriesOf(data: Json): Series[] {
  const list: unknown = data["series"];
  if (!Array.isArray(list)) return [];
  return list.map((each: Json): Series => {
    const kind = each["kind"];
    return {
      label: String(each["label"]),
      kind: kind === "money" || kind === "milliseconds" || kind === "share" ? kind : "count",
      values: numbers(each["values"]),
      colour: typeof each["colour"] === "string" ? each["colour"] : null,
    };
  });
}

/** Bars stand on one another: each series is drawn up to the sum of itself and those below it. Nothing is drawn for nothing. */
function stacked(series: readonly Series[]): (number | null)[][] {
  let below: number[] = [];
  return series.map(({ values }) => {
    below = values.map((value, index) => (below[index] ?? 0) + (value ?? 0));
    return below.map((sum, index) => ((values[index] ?? 0) === 0 ? null : sum));
  });
}

function optionsOf(box: HTMLElement, series: readonly Series[]): uPlot.Options {
  const [text, line] = [colour("muted"), colour("line")];
  const axis = { stroke: text, font: "12px system-ui", grid: { stroke: line, width: 1 }, ticks: { show: false } };
  const kind = series[0]?.kind ?? "count";
  const bars = uPlot.paths.bars?.({ size: [BAR_SHARE, BAR_PIXELS_MAX], radius: 0.2 });
  return {
    width: box.clientWidth,
    height: box.clientHeight - 28,
    legend: { live: true },
    cursor: { y: false, points: { size: 7 } },
    scales: { x: { time: false }, y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
    axes: [
      { ...axis, grid: { show: false }, space: 70, values: (_, ticks) => ticks.map(dayWritten) },
      { ...axis, size: 64, incrs: STEPS, values: (_, ticks) => ticks.map((tick) => written(tick, kind, true)) },
    ],
    series: [
      { label: box.dataset["axis"] ?? "", value: (_, at) => (at === null ? "–" : dayWritten(at)) },
      ...series.toReversed().map((each, index): uPlot.Series => {
        const stroke = colour(each.colour ?? LINES[(series.length - 1 - index) % LINES.length] ?? "accent");
        const value: uPlot.Series.Value = (_plot, _raw, __, at) => (at === null ? "–" : written(each.values[at] ?? 0, each.kind));
        const isBars = box.dataset["chart"] === "bars" && bars !== undefined;
        return isBars
          ? { label: each.label, stroke, fill: stroke, paths: bars, points: { show: false }, value }
          : { label: each.label, stroke, width: 2, points: { size: 5 }, value };
      }),
    ],
  };
}

function draw(box: HTMLElement): void {
  const data = pageData(box.dataset["source"] ?? "");
  const series = seriesOf(data);
  const drawn = box.dataset["chart"] === "bars" ? stacked(series) : series.map((each) => each.values);
  // The tallest is drawn first, so that those below it stay in sight.
  const points: uPlot.AlignedData = [numbers(data["days"]).map((day) => day ?? 0), ...drawn.toReversed()];
  let plot = new uPlot(optionsOf(box, series), points, box);
  new ResizeObserver(() => plot.setSize({ width: box.clientWidth, height: box.clientHeight - 28 })).observe(box);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    plot.destroy();
    plot = new uPlot(optionsOf(box, series), points, box);
  });
}

for (const box of document.querySelectorAll<HTMLElement>("[data-chart]")) draw(box);
