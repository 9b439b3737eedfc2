// Whether an expression of PromQL parses, and asks only for metrics, labels and values of labels that exist. Prometheus itself
// answers an expression about a metric that nobody has with nothing, so that its alert never fires and its panel is empty.
import { parser } from "@prometheus-io/lezer-promql";
import type { MetricCatalogue, MetricDefinition } from "@valence/runtime/kernel";

type Node = ReturnType<typeof parser.parse>["topNode"];

/** The labels that Prometheus adds to each series of a scrape, by its configuration. */
const TARGET_LABELS = ["job", "instance", "role"];
/** Series that Prometheus makes itself, with their labels. */
const BUILT_IN: ReadonlyMap<string, readonly string[]> = new Map([
  ["up", TARGET_LABELS],
  ["ALERTS", [...TARGET_LABELS, "alertname", "alertstate", "severity"]],
]);
/** The series of a histogram. */
const HISTOGRAM_SERIES = ["_bucket", "_sum", "_count"];

/** A series that can be asked for: its labels, and the declaration of its metric unless Prometheus or a rule makes it. */
interface Series {
  readonly labels: readonly string[];
  readonly metric?: MetricDefinition;
}

export type Known = ReadonlyMap<string, Series>;

/** All series: of the declared metrics, of Prometheus, and those that rules record, by the labels by which they are grouped. */
export function knownSeries(
  catalogues: readonly MetricCatalogue[],
  recorded: ReadonlyMap<string, readonly string[]> = new Map(),
): Known {
  const known = new Map<string, Series>();
  for (const [name, labels] of [...BUILT_IN, ...recorded]) known.set(name, { labels });
  for (const metric of catalogues.flatMap(({ metrics }) => Object.values(metrics))) {
    const labels = [...Object.keys(metric.labels ?? {}), ...TARGET_LABELS];
    if (metric.type !== "histogram") known.set(metric.name, { labels, metric });
    else
      for (const suffix of HISTOGRAM_SERIES)
        known.set(metric.name + suffix, { labels: suffix === "_bucket" ? [...labels, "le"] : labels, metric });
  }
  return known;
}

/** The expression as Prometheus gets it: Grafana puts durations and chosen values in. */
export const filledIn = (expr: string): string =>
  expr.replaceAll(/\$__(rate_interval|range|interval)\b/g, "5m").replaceAll(/\$\w+/g, ".*");

/** What is wrong with the expression, as sentences; none if all is well. */
export function problemsOf(expr: string, known: Known): string[] {
  const text = filledIn(expr);
  const at = (node: Node): string => text.slice(node.from, node.to);
  const { topNode } = parser.parse(text);
  const broken = all(topNode, node => node.type.isError)[0];
  if (broken) return [`does not parse at ${text.slice(broken.from) || "its end"}`];
  const selectors = all(topNode, node => node.name === "VectorSelector");
  return [
    ...selectors.flatMap(selector => problemsOfSelector(selector, at, known)),
    ...all(topNode, node => node.name === "GroupingLabels").flatMap(labels => problemsOfGrouping(labels, at, known)),
  ];
}

/** The labels by which anything in the expression is grouped. */
export function groupingOf(expr: string): string[] {
  const text = filledIn(expr);
  const labels = all(
    parser.parse(text).topNode,
    ({ name, parent }) => name === "LabelName" && parent?.name === "GroupingLabels",
  );
  return labels.map(({ from, to }) => text.slice(from, to));
}

function problemsOfSelector(selector: Node, at: (node: Node) => string, known: Known): string[] {
  const named = selector.getChild("Identifier");
  const name = named === null ? "" : at(named);
  const series = known.get(name);
  if (series === undefined) return [`there is no metric ${name}`];
  const { metric } = series;
  const problems = all(selector, node => node.name === "UnquotedLabelMatcher").flatMap(matcher => {
    const [label, operator, value] = ["LabelName", "MatchOp", "StringLiteral"].map(part => at(matcher.getChild(part)!));
    if (!series.labels.includes(label!)) return [`${name} has no label ${label}`];
    const values = metric?.labels?.[label!];
    if (!Array.isArray(values) || !operator!.endsWith("=")) return [];
    const text = value!.slice(1, -1);
    return values.includes(text) ? [] : [`${label} of ${name} is never ${text}`];
  });
  // Each process tells the whole: a sum would count it once for each of them.
  if (metric?.over !== undefined && nearestAggregation(selector, at) === "sum")
    problems.push(`${name} is a ${metric.over} over processes, and no sum`);
  return problems;
}

/** Labels of `by` and `on`: at least one of the series below has them. */
function problemsOfGrouping(labels: Node, at: (node: Node) => string, known: Known): string[] {
  const owner = labels.parent!.parent!;
  const below = all(owner, node => node.name === "VectorSelector").map(selector =>
    at(selector.getChild("Identifier")!),
  );
  return labels
    .getChildren("LabelName")
    .map(at)
    .filter(label => !below.some(name => known.get(name)?.labels.includes(label)))
    .map(label => `nothing has the label ${label} by which it is grouped`);
}

function nearestAggregation(node: Node, at: (node: Node) => string): string | undefined {
  for (let above = node.parent; above !== null; above = above.parent)
    if (above.name === "AggregateExpr") return at(above.getChild("AggregateOp")!).toLowerCase();
  return undefined;
}

function all(top: Node, is: (node: Node) => boolean): Node[] {
  const found: Node[] = [];
  top.cursor().iterate(({ node }) => {
    if (is(node)) found.push(node);
  });
  return found;
}
