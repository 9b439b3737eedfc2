// Every name in our traces, once. Attributes are those of OpenTelemetry's semantic conventions where it has one, else begin
// with `valence.`. Values that can be anybody's data are never attributes: no params, no bindings, no keys of Redis.

/** Names of spans. Those of actions, routes, statements and commands of Redis are the names of these. */
export const SPANS = {
  /** An actor is loaded into memory. */
  load: "actor load",
  /** A command waits in its actor's mailbox. */
  wait: "actor wait",
  /** A command's `prepare`, for which its actor's mailbox waits. */
  prepare: "actor prepare",
  decide: "actor decide",
  /** From the decision to the verdict of the store. */
  commit: "actor commit",
  /** One transaction with the appends of many actors: links to the commit of each. */
  batch: "store commit",
  /** One turn of a saga: it plans, calls and journals until there is nothing to do. */
  saga: "saga turn",
  /** One call of a saga; its attributes say of which step. */
  step: "saga step",
  timer: "timer fire",
  /** A mail is written and given to the mail server. */
  mail: "mail send",
  /** Events leave for the carrier. */
  publish: "publish",
  /** A consumer handles an event, or a batch of them. */
  process: "process",
} as const;

export const ATTRIBUTES = {
  errorType: "error.type",
  httpMethod: "http.request.method",
  httpRoute: "http.route",
  httpStatus: "http.response.status_code",
  urlPath: "url.path",
  urlScheme: "url.scheme",
  rpcSystem: "rpc.system.name",
  rpcMethod: "rpc.method",
  dbSystem: "db.system.name",
  dbNamespace: "db.namespace",
  dbOperation: "db.operation.name",
  dbCollection: "db.collection.name",
  dbQuery: "db.query.text",
  dbBatch: "db.operation.batch.size",
  messagingSystem: "messaging.system",
  destination: "messaging.destination.name",
  partition: "messaging.destination.partition.id",
  operationType: "messaging.operation.type",
  operationName: "messaging.operation.name",
  messageId: "messaging.message.id",
  messages: "messaging.batch.message_count",
  consumerGroup: "messaging.consumer.group.name",
  /** The node that answers a call. */
  node: "valence.node",
  requestId: "valence.request.id",
  stream: "valence.stream",
  command: "valence.command",
  version: "valence.version",
  /** `ok`, `conflict`, `duplicate`, `fenced`, `failed`. */
  verdict: "valence.verdict",
  events: "valence.events",
  saga: "valence.saga",
  step: "valence.saga.step",
  item: "valence.saga.item",
  /** `step`, `undo`, `abandon`. */
  purpose: "valence.saga.purpose",
  /** What a mail is about: its kind. */
  mail: "valence.mail",
} as const;
