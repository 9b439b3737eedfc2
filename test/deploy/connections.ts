// The connections that our code opens to other servers, and the services that need them. They are read from the code: a
// module that opens one is a connector, and a service needs the connections of every connector that its imports lead to.
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { ROOT } from "./manifests.ts";

export type Target =
  | "nats"
  | "postgres"
  | "redis"
  | "kafka"
  | "collector"
  | "provider"
  | "mail"
  | "webhooks"
  | "images"
  | "cdn"
  | "issuer"
  | "anchor";

interface Connection {
  /** The variable that names the server; undefined where users name it, as they do for webhooks and for images of products. */
  readonly variable?: string;
  /** Modules that open it. */
  readonly connectors: readonly string[];
}

/** All connections of a process in a cluster. */
export const CONNECTIONS: Readonly<Record<Target, Connection>> = {
  nats: {
    variable: "NATS_URL",
    connectors: [
      "mixins/broker/transporters/nats.ts",
      "mixins/cli/preflight.ts",
      "mixins/operations/doctor/nats.ts",
      "mixins/stream/carriers/jetstream/connection.ts",
      "mixins/stream/carriers/jetstream/streams.ts",
    ],
  },
  postgres: {
    variable: "DATABASE_URL",
    connectors: [
      "mixins/database/dialects/postgres/open.ts",
      "mixins/database/dialects/postgres/prepare.ts",
      "mixins/event-store/dialects/postgres/reads.ts",
      "mixins/event-store/dialects/postgres/reshard.ts",
      "mixins/operations/doctor/dialects/postgres/connection.ts",
    ],
  },
  redis: {
    variable: "REDIS_URL",
    connectors: [
      "mixins/operations/doctor/redis.ts",
      "mixins/redis/check.ts",
      "mixins/redis/connection.ts",
      "mixins/redis/impatient-client.ts",
    ],
  },
  // The other exports of the module only read the certificates.
  kafka: {
    variable: "KAFKA_BROKERS",
    connectors: [
      "mixins/stream/carriers/kafka/connection.ts#kafkaOf",
      "mixins/stream/carriers/kafka/connection.ts#kafkaClients",
    ],
  },
  collector: { variable: "OTEL_EXPORTER_OTLP_ENDPOINT", connectors: ["mixins/tracing/sdk.ts"] },
  provider: { variable: "PAYMENT_PROVIDER_URL", connectors: ["services/payments/provider-client.ts"] },
  mail: { variable: "SMTP_URL", connectors: ["mixins/mail/carriers.ts", "mixins/mail/server-state.ts"] },
  webhooks: { connectors: ["mixins/stream/outbound/post.ts"] },
  images: { connectors: ["mixins/gateway/images/original.ts"] },
  cdn: { variable: "CDN_PURGE_URL", connectors: ["mixins/cdn/network.ts"] },
  issuer: { variable: "OIDC_ISSUER", connectors: ["mixins/accounts/oidc/issuer.ts"] },
  anchor: { variable: "AUDIT_ANCHOR", connectors: ["mixins/audit/anchor.ts"] },
};

/** Modules that open something else than a connection of a process in a cluster. */
export const OTHER_OPENERS: Readonly<Record<string, string>> = {
  "mixins/broker/transporters/tcp.ts": "Moleculer's TCP, between workers of one machine",
  "mixins/database/dialects/sqlite/open.ts": "files",
  "mixins/cli/backup/postgres-backup.ts": "an operator's terminal",
  "mixins/cli/backup/postgres-restore.ts": "an operator's terminal",
  "mixins/cli/backup/postgres-tools.ts": "an operator's terminal",
  "mixins/operations/smoke.ts": "an operator's terminal, or a pipeline",
  "mixins/operations/shell/http-link.ts": "an operator's terminal",
  "mixins/operations/socket/client.ts": "an operator's terminal, by a socket of the same machine",
  "services/payments/provider/provider.ts": "the bundled payment provider, which stands for another company",
};

const OPENS =
  /^import knex\b|\bnew (?:Redis|OTLPTraceExporter|WebSocket|pg\.(?:Client|Pool))\(|\bcreate(?:Transport|Connection|RemoteJWKSet)\(|\bhttps?Request\b.*\(|\bTransporters\.\w+ as|[^.\w]fetch\(|await connect\(|import\("@platformatic\/kafka"\)/m;

/** Modules of a process that open connections, or look like it. */
export const openers = (): string[] =>
  globSync(["mixins/**/*.ts", "services/**/*.ts"], { cwd: ROOT })
    .filter(
      file => !/node_modules|\.d\.ts$|\.(?:test|fixture|conformance)\.ts$|\/(?:testing|templates|dist)\//.test(file),
    )
    .filter(file => OPENS.test(readFileSync(join(ROOT, file), "utf8").replaceAll(/^ *(?:\/\/|\*).*$/gm, "")));

// ---- the graph of imports

const exported: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(join(ROOT, "mixins/package.json"), "utf8"),
).exports;
const FROM = /^(import|export) (type )?(?:([^"']*?) from )?"([^"]+)"|[^.\w]import\("([^"]+)"\)/gm;

interface Import {
  readonly isReexport: boolean;
  /** Undefined: all of them. */
  readonly names: ReadonlyMap<string, string> | undefined;
  readonly file: string;
}
const imports = new Map<string, readonly Import[]>();

function importsOf(file: string): readonly Import[] {
  let known = imports.get(file);
  if (known === undefined) {
    const text = readFileSync(join(ROOT, file), "utf8");
    known = [...text.matchAll(FROM)].flatMap(([, word, type, names, from = "", dynamic]) => {
      const target = resolved(file, dynamic ?? from);
      if (type || target === undefined) return [];
      return [{ isReexport: word === "export", names: dynamic ? undefined : namesIn(names ?? ""), file: target }];
    });
    imports.set(file, known);
  }
  return known;
}
/** `{ A, type B, C as D }`: the name here and the name there. */
function namesIn(clause: string): ReadonlyMap<string, string> | undefined {
  const list = /\{([^}]*)\}/.exec(clause)?.[1];
  if (list === undefined) return clause.startsWith("*") ? undefined : new Map([["default", "default"]]);
  const names = list
    .split(",")
    .map(name => name.trim())
    .filter(name => name && !name.startsWith("type "));
  return new Map(names.map(name => name.split(" as ")).map(([there = "", here = there]) => [here, there]));
}
function resolved(from: string, to: string): string | undefined {
  if (to.startsWith("@valence/runtime/")) return join("mixins", exported[to.replace("@valence/runtime", ".")] ?? "");
  const file = relative(ROOT, join(ROOT, dirname(from), to));
  return to.startsWith(".") && existsSync(join(ROOT, file)) ? file : undefined;
}

/**
 * All modules that these may run, as `file`, and of each the exports that are used, as `file#name`. What a module exports anew is
 * reached only where its name is used: a door alone reaches nothing.
 */
function reachedFrom(entries: readonly string[]): Set<string> {
  const reached = new Set<string>();
  const visit = (file: string, names: readonly string[] | undefined): void => {
    if (!reached.has(file)) {
      reached.add(file);
      for (const one of importsOf(file)) if (!one.isReexport) visit(one.file, one.names && [...one.names.values()]);
    }
    for (const name of names ?? ["*"]) {
      if (reached.has(`${file}#${name}`)) continue;
      reached.add(`${file}#${name}`);
      for (const one of importsOf(file)) {
        if (!one.isReexport) continue;
        if (name === "*") visit(one.file, one.names && [...one.names.values()]);
        else if (one.names === undefined) visit(one.file, [name]);
        else if (one.names.has(name)) visit(one.file, [one.names.get(name)!]);
      }
    }
  };
  for (const entry of entries) visit(entry, undefined);
  return reached;
}

/** The connections of everything that these modules may run. */
export function connectionsOf(entries: readonly string[]): Target[] {
  const reached = reachedFrom(entries);
  const targets = Object.keys(CONNECTIONS) as Target[];
  return targets.filter(target => CONNECTIONS[target].connectors.some(connector => reached.has(connector)));
}
