// Decides once, before brokers and services are made, whether this process traces. The SDK is loaded only if it does.
import { nodeEnvironment, type Environment } from "../kernel/index.ts";
import { tracingEnvironment } from "./environment.ts";
import { activate, tracing, type Tracing } from "./tracing.ts";

/**
 * Begins to trace, if the environment names a collector, or asks for traces in memory. Call it before `brokerOptions`: what is made earlier is not traced.
 * Once begun it stays, and a second call answers the same. Answers undefined, at no cost, where nothing is traced.
 */
export async function startTracing(environment: Environment): Promise<Tracing | undefined> {
  const values = tracingEnvironment.of(environment);
  const base = values.OTEL_EXPORTER_OTLP_ENDPOINT;
  const endpoint = values.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? (base && `${base}/v1/traces`);
  if (values.OTEL_SDK_DISABLED.toLowerCase() === "true") return undefined;
  const isSent = endpoint !== undefined && values.OTEL_TRACES_EXPORTER !== "none";
  if (!isSent && !values.TRACE_MEMORY) return undefined;
  const known = tracing();
  if (known) return known;
  const { openTracing } = await import("./sdk.ts");
  const { NODEID, NAMESPACE } = nodeEnvironment.of(environment);
  const opened = openTracing({
    ...values,
    endpoint: isSent ? endpoint : undefined,
    node: NODEID,
    namespace: NAMESPACE,
  });
  activate(opened);
  return opened;
}
