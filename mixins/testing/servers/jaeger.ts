// A Jaeger for tests: built from its Go module, kept in the user's cache, started on free ports with its storage in memory.
//
// Its web interface is no part of the module, so this build shows a page that says so; the API of queries is whole.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../until.ts";
import { endProcess } from "./child.ts";
import { buildGo, builtGo } from "./go-program.ts";
import { freePort } from "./ports.ts";

const JAEGER = {
  name: "jaeger",
  module: "github.com/jaegertracing/jaeger",
  version: "v1.76.0",
  main: "./cmd/jaeger",
} as const;

/** A span as Jaeger tells it. */
export interface JaegerSpan {
  readonly trace: string;
  readonly id: string;
  readonly name: string;
  /** Ids of its parent and of the spans that it links to: of a link to the parent it tells once. */
  readonly causes: readonly string[];
}

/** Path of the program that an earlier build has left, or undefined. */
export function builtJaeger(): string | undefined {
  return builtGo(JAEGER);
}

/** Path of the program, built if it is not there: minutes to half an hour. Throws where Go is missing or the build fails. */
export function buildJaeger(): string {
  return buildGo(JAEGER);
}

export class Jaeger {
  /** Takes OTLP over HTTP. */
  readonly collector: string;
  readonly #api: string;
  readonly #folder: string;
  readonly #process: ChildProcess;

  private constructor(program: string, folder: string, [otlp, http, grpc]: readonly number[]) {
    this.collector = `http://127.0.0.1:${otlp}`;
    this.#api = `http://127.0.0.1:${http}/api`;
    this.#folder = folder;
    const file = join(folder, "jaeger.yaml");
    writeFileSync(file, configuration(otlp!, http!, grpc!));
    this.#process = spawn(program, ["--config", file], { cwd: folder, stdio: "ignore" });
  }

  /** `program`: of `builtJaeger`. Resolves when it answers queries. */
  static async start(program: string): Promise<Jaeger> {
    const ports = await Promise.all([freePort(), freePort(), freePort()]);
    const jaeger = new Jaeger(program, mkdtempSync(join(tmpdir(), "jaeger-")), ports);
    await until("Jaeger answers", async () => {
      if (jaeger.#process.exitCode !== null) throw new Error("Jaeger did not start");
      return (await fetch(`${jaeger.#api}/services`).catch(() => undefined))?.ok;
    });
    return jaeger;
  }

  /** Spans of the traces in which a span of this service has this attribute, as its page of search finds them. */
  async find(service: string, attribute: string, value: string): Promise<JaegerSpan[]> {
    const query = new URLSearchParams({ service, tags: JSON.stringify({ [attribute]: value }), lookback: "1h" });
    const response = await fetch(`${this.#api}/traces?${query.toString()}`);
    if (!response.ok) throw new Error(`Jaeger answers ${response.status}: ${await response.text()}`);
    const { data } = (await response.json()) as { data: { spans: Told[] }[] };
    return data.flatMap(({ spans }) => spans.map(spanOf));
  }

  async stop(): Promise<void> {
    await endProcess(this.#process, "SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

interface Told {
  readonly traceID: string;
  readonly spanID: string;
  readonly operationName: string;
  readonly references: readonly { readonly spanID: string }[];
}

const spanOf = ({ traceID, spanID, operationName, references }: Told): JaegerSpan => ({
  trace: traceID,
  id: spanID,
  name: operationName,
  causes: references.map(reference => reference.spanID),
});

const configuration = (otlp: number, http: number, grpc: number): string => `
service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines:
    traces: { receivers: [otlp], exporters: [jaeger_storage_exporter] }
  telemetry:
    metrics: { level: none }
    logs: { level: error }
extensions:
  jaeger_storage:
    backends:
      memory: { memory: { max_traces: 10000 } }
  jaeger_query:
    storage: { traces: memory }
    http: { endpoint: "127.0.0.1:${http}" }
    grpc: { endpoint: "127.0.0.1:${grpc}" }
receivers:
  otlp:
    protocols:
      http: { endpoint: "127.0.0.1:${otlp}" }
exporters:
  jaeger_storage_exporter: { trace_storage: memory }
`;
