// Where traces go, and which of them: the variables of OpenTelemetry, and how slow a trace is that is always kept.
import { checked, defineEnvironment, flag, hidden, integer, matching, oneOf, text, url } from "../kernel/index.ts";

/** `name=value` with commas between, both percent-encoded, as OpenTelemetry has them. */
const PAIRS = /^\s*[^\s=,]+\s*=[^,]*(,\s*[^\s=,]+\s*=[^,]*)*,?\s*$/;
const pairs = {
  form: "`name=value` with commas between",
  problem: (value: string) => (PAIRS.test(value) ? undefined : "name=value with commas between"),
};

export const tracingEnvironment = defineEnvironment("Traces", {
  OTEL_EXPORTER_OTLP_ENDPOINT: url({
    protocols: ["http:", "https:"],
    defaultSays: "none: nothing is traced",
    says: "a collector that takes OTLP over HTTP, such as `http://localhost:4318`: [traces](tracing.md)",
  }),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url({
    protocols: ["http:", "https:"],
    defaultSays: "`OTEL_EXPORTER_OTLP_ENDPOINT` and `/v1/traces`",
    says: "the whole URL for traces, where it is another one",
  }),
  OTEL_EXPORTER_OTLP_PROTOCOL: oneOf(["http/protobuf"], {
    default: "http/protobuf",
    says: "how traces are sent; other protocols are not there",
  }),
  OTEL_EXPORTER_OTLP_COMPRESSION: oneOf(["gzip", "none"], { default: "gzip", says: "how they are compressed" }),
  OTEL_EXPORTER_OTLP_HEADERS: hidden({ ...pairs, says: "headers for the collector, such as its key" }),
  OTEL_EXPORTER_OTLP_TIMEOUT: integer({
    min: 1,
    max: 600_000,
    default: 10_000,
    says: "milliseconds until spans that the collector has not taken are dropped",
  }),
  OTEL_SDK_DISABLED: checked({
    form: "`true`, `false`",
    problem: value => (/^(true|false)$/i.test(value) ? undefined : "one of true, false"),
    default: "false",
    says: "`true` traces nothing, whatever the others say",
  }),
  OTEL_TRACES_EXPORTER: oneOf(["otlp", "none"], { default: "otlp", says: "`none` traces nothing" }),
  OTEL_SERVICE_NAME: text({
    defaultSays: "`service.name` of `OTEL_RESOURCE_ATTRIBUTES`, else `valence`",
    says: "name of this application in traces",
  }),
  OTEL_RESOURCE_ATTRIBUTES: checked({ ...pairs, says: "attributes of every span of this process" }),
  OTEL_TRACES_SAMPLER: oneOf(
    [
      "always_on",
      "always_off",
      "traceidratio",
      "parentbased_always_on",
      "parentbased_always_off",
      "parentbased_traceidratio",
    ],
    {
      default: "parentbased_always_on",
      says: "which traces are kept from their first span on. `parentbased_…` also keeps those that a caller keeps",
    },
  ),
  OTEL_TRACES_SAMPLER_ARG: matching({
    pattern: /^(0(\.\d+)?|1(\.0+)?)$/,
    expected: "a number from 0 to 1",
    default: "1",
    says: "for `…traceidratio`: the share that is kept, `0.01` for one in a hundred",
  }),
  OTEL_BSP_MAX_QUEUE_SIZE: integer({
    min: 1,
    max: 1_000_000,
    default: 2_048,
    says: "spans that wait for the collector; more are dropped, and counted",
  }),
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: integer({ min: 1, max: 100_000, default: 512, says: "spans sent at once" }),
  OTEL_BSP_SCHEDULE_DELAY: integer({
    min: 1,
    max: 600_000,
    default: 5_000,
    says: "milliseconds until spans are sent that do not fill a batch",
  }),
  TRACE_MEMORY: flag({
    default: false,
    says: "without a collector: whether the latest slow and failed traces are kept in memory, for operators who look at them",
  }),
  TRACE_SLOW_MS: integer({
    min: 1,
    max: 3_600_000,
    default: 1_000,
    says: "milliseconds from which a span is slow: its trace is kept, as that of a failed one is, whatever the sampler says",
  }),
});
