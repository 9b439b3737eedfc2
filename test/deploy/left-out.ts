// Variables that no manifest of production sets, by the reason. A variable is either set there or stands here.
const REASONS: readonly (readonly [reason: string, variables: string])[] = [
  ["another way to log in, for companies that have one", "OIDC_ISSUER OIDC_AUDIENCE OIDC_ROLES"],
  [
    "a second place for the audit's checkpoints, of another owner",
    "AUDIT_ANCHOR AUDIT_ANCHOR_ACCESS_KEY AUDIT_ANCHOR_SECRET_KEY AUDIT_ANCHOR_REGION",
  ],
  [
    "the defaults are for production",
    "AUDIT_CHECKPOINT_SECONDS AUDIT_RETENTION_DAYS KEY_ROTATION_DAYS TOKEN_ISSUER REQUEST_TIMEOUT_MS PORT RATE_LIMIT_PERCENT KEEP_ALIVE_MS HEADERS_TIMEOUT_MS REQUEST_BODY_TIMEOUT_MS CACHE_MB ACCESS_LOG DATABASE_POOL_SIZE CARRIER PARTITIONS RELEASE METRICS MAIL_UNVERIFIED PAYMENT_PENDING_MS TRACE_SLOW_MS IMAGES_MB WEB",
  ],
  ["pages of other origins are an installation's own", "ALLOWED_ORIGINS"],
  ["the image sets them, or the place of its files", "NODE_ENV LOG_FORMAT SERVICEDIR DATA_DIR"],
  ["one process a pod: Kubernetes makes more of them", "WORKERS WORKER"],
  ["for tests", "FAILPOINTS"],
  [
    "one database for all services; another one for a service, and shards, are an installation's own",
    "<SERVICE>_DATABASE_URL <SERVICE>_DATABASE_REPLICA_URL PGUSER",
  ],
  [
    "the component kafka sets them, or the brokers decide",
    "KAFKA_BROKERS KAFKA_TLS KAFKA_CA KAFKA_CERT KAFKA_KEY KAFKA_SASL KAFKA_USER KAFKA_PASSWORD KAFKA_PARTITIONS KAFKA_REPLICATION KAFKA_RETENTION_HOURS",
  ],
  [
    "for an operator's terminal or a pipeline, not for pods",
    "OPERATOR_URL OPERATOR_TOKEN SMOKE_API_KEY SMOKE_PRODUCT SMOKE_PAYMENT_TOKEN",
  ],
  ["webhooks go to public addresses alone, and images come from there", "WEBHOOK_NETWORKS IMAGE_DIR IMAGE_NETWORKS"],
  [
    "the component cdn sets them, or the network of another company has its own",
    "CDN_PURGE_URL CDN_PURGE_FORM CDN_PURGE_TOKEN",
  ],
  [
    "the addresses of the guide, dashboards, traces and of a network for files are an installation's own",
    "DOCS_URL DASHBOARDS_URL TRACES_URL ASSET_BASE_URL",
  ],
  ["the collector has the traces", "TRACE_MEMORY"],
  [
    "the collector of the cluster needs no more than its address, and the SDK's defaults do",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT OTEL_EXPORTER_OTLP_PROTOCOL OTEL_EXPORTER_OTLP_COMPRESSION OTEL_EXPORTER_OTLP_HEADERS OTEL_EXPORTER_OTLP_TIMEOUT OTEL_SDK_DISABLED OTEL_TRACES_EXPORTER OTEL_SERVICE_NAME OTEL_RESOURCE_ATTRIBUTES OTEL_BSP_MAX_QUEUE_SIZE OTEL_BSP_MAX_EXPORT_BATCH_SIZE OTEL_BSP_SCHEDULE_DELAY",
  ],
];
export const LEFT_OUT: ReadonlyMap<string, string> = new Map(
  REASONS.flatMap(([reason, variables]) => variables.split(" ").map(name => [name, reason] as const)),
);
