// The log as Moleculer has it: one logger for each module, whose level can be changed.
import { Loggers, type ServiceBroker } from "moleculer";
import type { Environment } from "../kernel/index.ts";
import { Levels, RANKS } from "./levels.ts";
import { logTo, processLog, type ProcessLog } from "./log.ts";

type Base = Loggers.Base<object>;
type Bindings = Parameters<Base["getLogHandler"]>[0];
type Handler = ReturnType<Base["getLogHandler"]>;

/** A logger for the broker's options. Its modules begin with the broker's `logLevel`. */
export class BrokerLog extends Loggers.Base<object> {
  readonly levels = new Levels();
  readonly #open: () => ProcessLog;
  #log: ProcessLog | undefined;

  /** `open` is called as a broker begins: options alone write nothing. */
  constructor(open: () => ProcessLog) {
    super();
    this.#open = open;
  }

  /** Keeps no broker: the options of a broker, this logger among them, are listed to whoever asks `$node.options`. */
  override init({ broker }: { readonly broker: ServiceBroker }): void {
    const { logLevel } = broker.options;
    this.opts = { level: logLevel ?? "info" };
  }

  override getLogHandler(bindings: Bindings): Handler {
    const level = this.getLogLevel(bindings.mod);
    if (level === null) return null;
    this.#log ??= this.#open();
    const { nodeID: node, ns, mod: module, svc } = bindings;
    const logger = this.#log.lines.child({ node, ...(ns && { namespace: ns }), module });
    const gate = this.levels.add(module, level);
    const service = svc && module;
    const isOfCache = module === "cacher";
    return (level, args) => {
      if (RANKS[level] <= gate.rank) logTo(logger, level, isOfCache ? args.map(withoutParams) : args, service);
    };
  }

  // oxlint-disable-next-line typescript/no-misused-promises -- Moleculer waits for it, its types do not say so
  override async stop(): Promise<void> {
    this.levels.stop();
  }
}

/** The cacher names its keys, which hold the params of actions: what people search for. */
const withoutParams = (text: unknown): unknown =>
  typeof text === "string" ? text.replace(/^([A-Z]+ [\w.$-]+):[^]*/, "$1:…") : text;

export const brokerLog = (environment: Environment): BrokerLog => new BrokerLog(() => processLog(environment));

/** The levels of a broker's modules; undefined for one that logs nothing, or by another logger. */
export function levelsOf(broker: ServiceBroker): Levels | undefined {
  const { logger } = broker.options as { logger?: unknown };
  return [logger].flat().find((one): one is BrokerLog => one instanceof BrokerLog)?.levels;
}
