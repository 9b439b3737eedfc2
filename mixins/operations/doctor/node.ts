// The doctor of a node: the internal service `$doctor`, which `ops.doctor` asks. A service's databases are for its own nodes:
// other ones may have no access. So each node examines what it runs, with its own environment.
import { setTimeout as sleep } from "node:timers/promises";
import type { ActionSchema, Context, ServiceBroker, ServiceSchema } from "moleculer";
import { readEnvironment, type Environment } from "../../kernel/index.ts";
import { serviceNames } from "../services.ts";
import { reasonOf, warn, type Finding } from "./finding.ts";
import { embeddedIn } from "./machine.ts";

const limits = {
  /** Milliseconds of an examination. What was found until then is the answer. */
  examinationMs: 20_000,
} as const;

/** The answer of a node. */
export interface Examined {
  readonly findings: readonly Finding[];
  /** Its services whose tables are in a SQLite file. */
  readonly embedded: readonly string[];
}

/**
 * The schema of `$doctor` for a process whose services lie below `folder`. Its action `examine` takes the `services` to
 * examine, and passes over those that do not run here.
 */
export function NodeDoctor(folder: string): ServiceSchema {
  const examinations = new Examinations();
  return {
    name: "$doctor",
    actions: {
      examine: {
        visibility: "public",
        permission: "operations:read",
        // For the examination in the background, which is on nobody's behalf.
        callers: ["ops"],
        params: {
          type: "object",
          properties: { services: { type: "array", items: { type: "string" }, maxItems: 1_000 } },
          required: ["services"],
          additionalProperties: false,
        },
        async handler({ params, broker }: Context<{ services: string[] }>): Promise<Examined> {
          const known = serviceNames(folder);
          const own = broker.services.map(({ name }) => name).filter(name => known.includes(name));
          const environment = environmentOf(broker);
          const services = own.filter(name => params.services.includes(name)).sort();
          const findings = await examinations.make({ environment, folder, services });
          return { findings, embedded: embeddedIn(environment, own) };
        },
      } as unknown as ActionSchema,
    },
  };
}

const environmentOf = ({ options }: ServiceBroker): Environment =>
  (options as { valence?: Environment }).valence ?? readEnvironment();

interface Errand {
  readonly environment: Environment;
  readonly folder: string;
  readonly services: readonly string[];
}

/** One at a time: an examination for everybody who asks would be a way to use up connections and memory. */
class Examinations {
  /** Those that are under way or wait, by their services: who asks for the same gets the same answer. */
  readonly #underWay = new Map<string, Promise<readonly Finding[]>>();
  #last: Promise<void> = Promise.resolve();

  make(errand: Errand): Promise<readonly Finding[]> {
    const key = errand.services.join();
    const known = this.#underWay.get(key);
    if (known) return known;
    const begun = this.#last.then(() => begin(errand));
    // An examination that is given up ends when the statement at hand does.
    this.#last = begun.then(({ ended }) => ended);
    const findings = begun.then(({ answer }) => answer).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, findings);
    return findings;
  }
}

/** Neither promise rejects: what keeps the examination from its end is a finding. */
function begin(errand: Errand): { answer: Promise<readonly Finding[]>; ended: Promise<void> } {
  const findings: Finding[] = [];
  const over = new AbortController();
  let reason: string | undefined;
  const ended = examineHere(errand, over.signal, finding => findings.push(finding)).catch((error: unknown) => {
    reason = reasonOf(error);
  });
  const waited = new AbortController();
  const late = sleep(limits.examinationMs, undefined, { signal: waited.signal }).then(
    () => {
      reason = `it took more than ${limits.examinationMs} ms`;
      over.abort();
    },
    () => {},
  );
  const answer = Promise.race([ended, late]).then(() => {
    waited.abort();
    if (reason === undefined) return findings;
    const message = `the examination was not finished: ${reason}`;
    const advice = "`npx valence doctor` there takes its time";
    return [...findings, { subject: "machine", ...warn("nodes", message, advice) }];
  });
  return { answer, ended };
}

/** The checks and what they stand on are loaded when they are asked for the first time: most processes never are. */
async function examineHere(
  { environment, folder, services }: Errand,
  signal: AbortSignal,
  onFinding: (finding: Finding) => void,
): Promise<void> {
  const { examine } = await import("./examination.ts");
  const isProduction = environment.text("NODE_ENV") === "production";
  await examine(environment, { folder, all: services }, { isRunning: true, isProduction, signal, onFinding });
}
