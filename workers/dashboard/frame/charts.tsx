/** A chart over days, and the same figures as a table. The script draws into a box that has its height already, so nothing moves. */
import type { Child } from "hono/jsx";
import { compact, day, duration, exactRoubles, percent } from "./format.ts";
import { Data, Table } from "./parts.tsx";
import type { View } from "./view.ts";
import { common } from "./words.ts";

export interface ChartSeries {
  label: string;
  kind: "money" | "count" | "milliseconds" | "share";
  values: readonly (number | null)[];
  /** A colour of the page; left out, one by its place. */
  colour?: "accent" | "good" | "warn" | "bad" | "muted";
}

const DAY_MILLISECONDS = 86_400_000;

/** Every UTC day from one to another, as `YYYY-MM-DD`. */
export function daysBetween(fromDay: string, toDay: string): string[] {
  const days: string[] = [];
  for (let at = Date.parse(fromDay); at <= Date.parse(toDay); at += DAY_MILLISECONDS) days.push(new Date(at).toISOString().slice(0, 10));
  return days;
}

export function dayAgo(days: number, now = Date.now()): string {
  return new Date(now - days * DAY_MILLISECONDS).toISOString().slice(0, 10);
}

function text(view: View, value: number | null | undefined, kind: ChartSeries["kind"]): string {
  if (value === null || value === undefined) return "–";
  if (kind === "money") return exactRoubles(value, view.locale);
  if (kind === "share") return percent(value, view.locale);
  return kind === "milliseconds" ? duration(value, view.locale) : compact(value, view.locale);
}

export function DayChart({
  view,
  id,
  label,
  days,
  series,
  children,
}: {
  view: View;
  id: string;
  label: string;
  days: readonly string[];
  series: readonly ChartSeries[];
  children?: Child;
}) {
  const shared = common(view.locale);
  const data = { days: days.map((each) => Date.parse(each) / 1_000), series };
  return (
    <>
      <div class="chart" data-chart="bars" data-source={id} data-axis={shared.day} role="img" aria-label={label}></div>
      <Data id={id} value={data} />
      {children}
      <details>
        <summary>{shared.tableOf(label)}</summary>
        <Table caption={label} head={[shared.day, ...series.map((each) => `#${each.label}`)]}>
          {days
            .map((each, index) => (
              <tr>
                <th scope="row">{day(each, view.locale)}</th>
                {series.map(({ values, kind }) => (
                  <td class="number">{text(view, values[index], kind)}</td>
                ))}
              </tr>
            ))
            .toReversed()}
        </Table>
      </details>
    </>
  );
}
