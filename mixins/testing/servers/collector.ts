// A collector of traces: takes OTLP over HTTP as protobuf, and keeps the spans for a test to look at.
import { createServer, request as httpRequest, type IncomingMessage, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { fieldsOf, type Fields } from "./protobuf.ts";

export interface CollectedSpan {
  readonly trace: string;
  readonly id: string;
  /** Empty for a span without one. */
  readonly parent: string;
  /** Its `tracestate`; empty without one. */
  readonly state: string;
  readonly name: string;
  readonly kind: "internal" | "server" | "client" | "producer" | "consumer";
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** Of the process. */
  readonly resource: Readonly<Record<string, string | number | boolean>>;
  readonly links: readonly { readonly trace: string; readonly id: string }[];
  readonly events: readonly string[];
  readonly hasFailed: boolean;
  readonly ms: number;
}

/** How it treats requests: takes them, refuses them for ever, says "later", or never answers. */
export type Mood = "takes" | "refuses" | "is busy" | "hangs";

export class Collector {
  readonly url: string;
  readonly spans: CollectedSpan[] = [];
  /** Requests so far, whatever became of them. */
  requests = 0;
  mood: Mood = "takes";
  /** URL of another collector, which gets every request as it came and whose answer is ours. Default: none. */
  behind: string | undefined;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(): Promise<Collector> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const collector = new Collector(server);
    server.on("request", (req, res) => {
      collector.requests++;
      if (collector.mood === "hangs") return;
      if (collector.mood !== "takes") return void res.writeHead(collector.mood === "refuses" ? 400 : 503).end();
      void bodyOf(req).then(async body => {
        const plain = req.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
        collector.spans.push(...spansIn(plain));
        const { behind } = collector;
        const status = behind === undefined ? 200 : await passOn(`${behind}${req.url}`, req, body);
        res.writeHead(status, { "Content-Type": "application/x-protobuf" }).end();
      });
    });
    return collector;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

async function bodyOf(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Not by fetch, whose calls are traced where the collector is in the process under test. */
async function passOn(url: string, { headers }: IncomingMessage, body: Buffer): Promise<number> {
  const { "content-type": type, "content-encoding": encoding } = headers;
  const passed = { "Content-Type": type!, ...(encoding !== undefined && { "Content-Encoding": encoding }) };
  const request = httpRequest(url, { method: "POST", headers: passed }).end(body);
  const [response] = (await once(request, "response")) as [IncomingMessage];
  response.resume();
  return response.statusCode!;
}

// The numbers of the fields are those of opentelemetry/proto/trace/v1/trace.proto.

function spansIn(body: Buffer): CollectedSpan[] {
  return fieldsOf(body)
    .messages(1)
    .flatMap(resourceSpans => {
      const resource = attributesIn(resourceSpans.messages(1)[0]?.messages(1) ?? []);
      const scopes = resourceSpans.messages(2);
      return scopes.flatMap(scope => scope.messages(2)).map(span => spanIn(span, resource));
    });
}

const KINDS = ["internal", "internal", "server", "client", "producer", "consumer"] as const;
const FAILED = 2;

function spanIn(span: Fields, resource: CollectedSpan["resource"]): CollectedSpan {
  return {
    trace: span.hex(1),
    id: span.hex(2),
    state: span.text(3),
    parent: span.hex(4),
    name: span.text(5),
    kind: KINDS[span.number(6)]!,
    ms: Number(span.integer(8) - span.integer(7)) / 1e6,
    attributes: attributesIn(span.messages(9)),
    events: span.messages(11).map(event => event.text(2)),
    links: span.messages(13).map(link => ({ trace: link.hex(1), id: link.hex(2) })),
    hasFailed: span.messages(15)[0]?.number(3) === FAILED,
    resource,
  };
}

const attributesIn = (pairs: readonly Fields[]): CollectedSpan["attributes"] =>
  Object.fromEntries(pairs.map(pair => [pair.text(1), valueIn(pair.messages(2)[0]!)]));

function valueIn(value: Fields): string | number | boolean {
  if (value.has(2)) return value.number(2) === 1;
  if (value.has(3)) return value.number(3);
  return value.has(4) ? value.double(4) : value.text(1);
}
