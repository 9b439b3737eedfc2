// The part of Grafana's dashboard model that we use, as functions. A panel always says what it shows, in which unit, and what
// each line is: these are parameters without a default.

/** Units of Grafana by their names. `short` is a number without one. */
export type Unit = "short" | "s" | "bytes" | "Bps" | "percentunit" | "reqps" | "ops" | "cps" | "eps" | "bool_yes_no";

/** One query: an expression of PromQL, and the name of its lines, in which `{{label}}` stands for a label's value. */
export interface Series {
  readonly expr: string;
  readonly legend: string;
  /** Shows the exemplars of a histogram as dots that open a trace. */
  readonly exemplars?: boolean;
}

export interface PanelOptions {
  readonly title: string;
  /** A sentence: what the panel shows, and which value is bad. */
  readonly description: string;
  readonly unit: Unit;
  readonly series: readonly Series[];
  /** Values from which on the panel is yellow and red. */
  readonly warnFrom?: number;
  readonly badFrom?: number;
  /** Columns of the 24 of a row. */
  readonly width?: number;
}

export interface Panel {
  readonly type: "timeseries" | "stat" | "table" | "text" | "traces";
  readonly title: string;
  readonly description: string;
  readonly width: number;
  readonly height: number;
  readonly model: Readonly<Record<string, unknown>>;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** A list above the panels from which the reader chooses, by the values of a label or as free text. */
export interface Variable {
  readonly name: string;
  readonly label: string;
  /** `label_values(metric, label)`; a variable without a query is a field for text. */
  readonly query?: string;
}

export interface Dashboard {
  /** Name of the file, and of the dashboard in links. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly variables: readonly Variable[];
  readonly rows: readonly Row[];
}

const PROMETHEUS = { type: "prometheus", uid: "prometheus" };
const JAEGER = { type: "jaeger", uid: "jaeger" };
const COLUMNS = 24;

const target = ({ expr, legend, exemplars = false }: Series, i: number, instant: boolean) => ({
  refId: String.fromCodePoint(65 + i),
  datasource: PROMETHEUS,
  expr,
  legendFormat: legend,
  exemplar: exemplars,
  ...(instant ? { instant: true, range: false, format: "table" } : { range: true }),
});

function thresholds({ warnFrom, badFrom }: PanelOptions) {
  const steps: { color: string; value: number | null }[] = [{ color: "green", value: null }];
  if (warnFrom !== undefined) steps.push({ color: "yellow", value: warnFrom });
  if (badFrom !== undefined) steps.push({ color: "red", value: badFrom });
  return { mode: "absolute", steps };
}

/** Lines over time. */
export function lines(options: PanelOptions): Panel {
  const { title, description, unit, series, width = 8, warnFrom, badFrom } = options;
  const hasBounds = warnFrom !== undefined || badFrom !== undefined;
  return {
    type: "timeseries",
    title,
    description,
    width,
    height: 8,
    model: {
      datasource: PROMETHEUS,
      targets: series.map((one, i) => target(one, i, false)),
      fieldConfig: {
        defaults: {
          unit,
          min: 0,
          custom: { fillOpacity: 8, showPoints: "never", thresholdsStyle: { mode: hasBounds ? "line" : "off" } },
          thresholds: thresholds(options),
        },
        overrides: [],
      },
      options: {
        legend: { displayMode: "table", placement: "bottom", calcs: ["lastNotNull", "max"] },
        tooltip: { mode: "multi", sort: "desc" },
      },
    },
  };
}

/** One number, coloured by its thresholds. */
export function number(options: PanelOptions): Panel {
  const { title, description, unit, series, width = 4 } = options;
  return {
    type: "stat",
    title,
    description,
    width,
    height: 4,
    model: {
      datasource: PROMETHEUS,
      targets: series.map((one, i) => target(one, i, false)),
      fieldConfig: { defaults: { unit, thresholds: thresholds(options), noValue: "–" }, overrides: [] },
      options: {
        colorMode: "background",
        graphMode: "area",
        reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
      },
    },
  };
}

/** The values of this moment, a row each. The columns are the labels, and the value as the legend of its series. */
export function table(options: PanelOptions): Panel {
  const { title, description, unit, series, width = 12 } = options;
  const names = series.map(({ legend }, i) => [
    `Value${series.length > 1 ? ` #${target(series[i]!, i, true).refId}` : ""}`,
    legend,
  ]);
  return {
    type: "table",
    title,
    description,
    width,
    height: 8,
    model: {
      datasource: PROMETHEUS,
      targets: series.map((one, i) => target(one, i, true)),
      fieldConfig: { defaults: { unit, thresholds: thresholds(options) }, overrides: [] },
      options: { showHeader: true },
      transformations: [
        ...(series.length > 1 ? [{ id: "merge", options: {} }] : []),
        { id: "organize", options: { excludeByName: { Time: true }, renameByName: Object.fromEntries(names) } },
      ],
    },
  };
}

/** A text in Markdown. */
export const text = (title: string, description: string, content: string, width = COLUMNS, height = 5): Panel => ({
  type: "text",
  title,
  description,
  width,
  height,
  model: { options: { mode: "markdown", content } },
});

/** Traces that Jaeger finds by a trace id. */
export const trace = (title: string, description: string, query: string): Panel => ({
  type: "traces",
  title,
  description,
  width: COLUMNS,
  height: 14,
  model: { datasource: JAEGER, targets: [{ refId: "A", datasource: JAEGER, query }] },
});

/** The dashboard as Grafana's provisioning reads it. */
export function modelOf({ uid, title, description, variables, rows }: Dashboard): object {
  return {
    uid,
    title,
    description,
    tags: ["valence"],
    schemaVersion: 39,
    version: 1,
    editable: false,
    graphTooltip: 1,
    refresh: "30s",
    time: { from: "now-1h", to: "now" },
    timezone: "browser",
    links: [{ type: "dashboards", tags: ["valence"], title: "Valence", asDropdown: true, keepTime: true }],
    templating: { list: variables.map(variableModel) },
    // Alerts as marks on every time axis.
    annotations: {
      list: [
        {
          name: "Alerts",
          datasource: PROMETHEUS,
          enable: true,
          iconColor: "red",
          expr: 'ALERTS{alertstate="firing", severity=~"page|ticket"}',
          titleFormat: "{{alertname}}",
          step: "60s",
        },
      ],
    },
    panels: panelModels(rows),
  };
}

const variableModel = ({ name, label, query }: Variable) =>
  query === undefined
    ? { type: "textbox", name, label, query: "" }
    : {
        type: "query",
        name,
        label,
        datasource: PROMETHEUS,
        query: { query, refId: name },
        definition: query,
        refresh: 2,
        sort: 1,
        multi: true,
        includeAll: true,
        allValue: ".*",
        current: { text: "All", value: "$__all" },
      };

/** Panels from left to right, as many as a row has columns for; then below. */
function panelModels(rows: readonly Row[]): object[] {
  const models: object[] = [];
  let y = 0;
  const place = (width: number, height: number, x: number) => ({
    id: models.length + 1,
    gridPos: { x, y, w: width, h: height },
  });
  for (const { title, panels } of rows) {
    models.push({ type: "row", title, collapsed: false, panels: [], ...place(COLUMNS, 1, 0) });
    y += 1;
    let x = 0;
    let below = 0;
    for (const { type, title, description, width, height, model } of panels) {
      if (x + width > COLUMNS) {
        y += below;
        x = below = 0;
      }
      models.push({ type, title, description, ...place(width, height, x), ...model });
      x += width;
      below = Math.max(below, height);
    }
    y += below;
  }
  return models;
}
