// Configuration: environment variables only. Each floor and each service declares its own, in an `environment.ts` beside
// its code; this is the one place that reads the process's environment.
//
//   1. `defineEnvironment` declares variables: a pure value
//   2. a start finds the declarations of all floors and services, and `readEnvironment` checks every variable of theirs.
//      A wrong or misspelt one stops the start with a message that names it
//   3. the broker's options carry the environment as `valence`, and code asks its declaration: `gatewayEnvironment.of(broker)`
//
// Without a start, as in tests, each declaration is checked when it is first asked.
import type { MetricCatalogue } from "./define-metrics.ts";
import { Misconfigured } from "./errors.ts";
import { meantName, meantPrefix } from "./misspelt.ts";
import { shownValue } from "./secrets.ts";
import { SERVICE, variableOf, type Variable } from "./variables.ts";

export type Variables = Readonly<Record<string, Variable>>;
type Values<V extends Variables> = { readonly [N in keyof V]: V[N] extends Variable<infer T> ? T : never };

/** Variables that belong together, of one floor or one service. */
export interface Declaration<V extends Variables = Variables> {
  /** Heading of their table on the page of the configuration. */
  readonly title: string;
  readonly variables: V;
  /** Throws EnvironmentError when the values do not go together. */
  check(values: Values<V>, environment: Environment): void;
  /** Their values, by name. Throws EnvironmentError when one is wrong; in a process whose start has checked them none is. */
  of(from: Environment | { readonly options: object }): Values<V>;
}

/** Everything that a process's code declares, for a start to check. */
export interface Declared {
  /** Names of all services: each has variables, and SERVICES names some of them. */
  readonly services: readonly string[];
  readonly declarations: readonly Declaration[];
  readonly failpoints: readonly string[];
  readonly metrics: readonly MetricCatalogue[];
}

/** A variable has a wrong value. The message shows the value without its secrets. */
export class EnvironmentError extends Misconfigured {
  constructor(variable: string, value: string, expected: string) {
    super(`${variable}="${shownValue(variable, value)}": expected ${expected}`);
  }
}

/**
 * Declares variables:
 *
 *     export const gatewayEnvironment = defineEnvironment("The gateway", {
 *       PORT: integer({ default: 3000, min: 0, max: 65_535, says: "HTTP port of the gateway; 0 lets the system choose" }),
 *     });
 *     const { PORT } = gatewayEnvironment.of(broker); // a number
 *
 * `check` judges values that depend on each other; it throws EnvironmentError.
 */
export function defineEnvironment<V extends Variables>(
  title: string,
  variables: V,
  check: (values: Values<V>, environment: Environment) => void = () => {},
): Declaration<V> {
  for (const [name, { isPerService }] of Object.entries(variables))
    if (name.includes(SERVICE) !== isPerService)
      throw new TypeError(`${name}: perService goes with ${SERVICE} in a name`);
  const declaration: Declaration<V> = {
    title,
    variables,
    check,
    of: from => ("options" in from ? environmentOf(from) : from).valuesOf(declaration),
  };
  return declaration;
}

/** Whether an export of a module is a declaration. */
export const isDeclaration = (value: unknown): value is Declaration =>
  typeof value === "object" && value !== null && "variables" in value && "of" in value;

/**
 * The environment of one process. Its own properties are the values that were read and may be shown: Moleculer lists a
 * broker's options, and these among them, in the REPL's `info` and to every caller of `$node.options`.
 */
export class Environment {
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #declared: Declared | undefined;
  readonly #values = new Map<Declaration, object>();

  constructor(env: Readonly<Record<string, string | undefined>>, declared?: Declared) {
    this.#env = env;
    this.#declared = declared;
  }

  /** All that the process's code declares; undefined unless a start has collected it. */
  get declared(): Declared | undefined {
    return this.#declared;
  }

  /** The declarations whose values this process has read. */
  get asked(): readonly Declaration[] {
    return [...this.#values.keys()];
  }

  /** The text of a variable without blanks at its ends; undefined when nothing is left. For declarations. */
  text(name: string): string | undefined {
    return this.#env[name]?.trim() || undefined;
  }

  /** Names of the variables that are set. */
  names(): string[] {
    return Object.keys(this.#env).filter(name => this.text(name) !== undefined);
  }

  /** Read and checked once; see Declaration.of. */
  valuesOf<V extends Variables>(declaration: Declaration<V>): Values<V> {
    const known = this.#values.get(declaration);
    if (known) return known as Values<V>;
    const values = {};
    for (const [name, variable] of Object.entries(declaration.variables)) {
      const value = variable.isPerService
        ? (service: string) => this.#read(variableOf(name, service), variable)
        : this.#read(name, variable);
      const enumerable = variable.secrecy === "shown" && !variable.isPerService;
      Object.defineProperty(values, name, { value, enumerable });
    }
    declaration.check(values as Values<V>, this);
    this.#values.set(declaration, values);
    Object.assign(this, values);
    return values as Values<V>;
  }

  #read(name: string, variable: Variable): unknown {
    const text = variable.isVerbatim ? this.#env[name] || undefined : this.text(name);
    if (text === undefined) return variable.fallback(this);
    const problem = variable.problem(text);
    if (problem !== undefined) throw new EnvironmentError(name, variable.secrecy === "hidden" ? HIDDEN : text, problem);
    return variable.value(text);
  }
}

const HIDDEN = "…";

/**
 * The environment, by default the process's. With all that is declared it is checked as a whole: throws EnvironmentError
 * that names a variable whose value is wrong or whose name is misspelt, and Misconfigured when two declarations disagree.
 */
export function readEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
  declared?: Declared,
): Environment {
  const environment = new Environment(env, declared);
  if (declared === undefined) return environment;
  refuseDisagreement(declared.declarations);
  refuseMisspelt(environment, declared);
  for (const declaration of declared.declarations) {
    const values = declaration.of(environment);
    for (const [name, { isPerService }] of Object.entries(declaration.variables))
      if (isPerService)
        for (const service of declared.services) (values[name] as (service: string) => unknown)(service);
  }
  return environment;
}

/** The environment that a broker's options carry as `valence`, else the process's. */
const environmentOf = (broker: { readonly options: object }): Environment =>
  (broker.options as { valence?: Environment }).valence ?? readEnvironment();

/** All declared variables by name, those of a service under each service's own. */
export function declaredVariables({ declarations, services }: Declared): Map<string, Variable> {
  const all = new Map<string, Variable>();
  for (const { variables } of declarations)
    for (const [name, variable] of Object.entries(variables))
      for (const one of variable.isPerService ? services.map(service => variableOf(name, service)) : [name])
        all.set(one, variable);
  return all;
}

/** Two floors may declare one variable if they say the same of it: the page of the configuration shows it once. */
function refuseDisagreement(declarations: readonly Declaration[]): void {
  const seen = new Map<string, { title: string; said: string }>();
  for (const { title, variables } of declarations)
    for (const [name, variable] of Object.entries(variables)) {
      const said = JSON.stringify(variable);
      const other = seen.get(name);
      if (other && other.said !== said)
        throw new Misconfigured(`${name} is declared twice, not the same: by "${other.title}" and by "${title}"`);
      seen.set(name, { title, said });
    }
}

function refuseMisspelt(environment: Environment, declared: Declared): void {
  const known = declaredVariables(declared);
  const names = [...known.keys()];
  for (const name of environment.names()) {
    if (known.has(name)) continue;
    const value = environment.text(name)!;
    // Kubernetes and Docker set `<service>_PORT` for each service that a container may reach.
    if (name.endsWith("_PORT") && /^(tcp|udp|sctp):\/\//.test(value)) continue;
    const meant = meantBy(name, names, declared);
    if (meant !== undefined)
      throw new EnvironmentError(name, shownUnder(name, value, known.get(meant)!), `another name: ${meant}`);
  }
}

/** The declared name that was meant; undefined when `name` is another program's. */
function meantBy(name: string, names: readonly string[], { declarations, services }: Declared): string | undefined {
  const meant = meantName(name, names);
  if (meant !== undefined) return meant;
  const prefixes = services.map(service => variableOf(SERVICE, service));
  for (const family of declarations.flatMap(({ variables }) => Object.keys(variables))) {
    if (!family.includes(SERVICE)) continue;
    const prefix = new RegExp(`^${family.replace(SERVICE, "(.+)")}$`).exec(name)?.[1];
    const meantService = prefix === undefined ? undefined : meantPrefix(prefix, prefixes);
    if (meantService !== undefined) return family.replace(SERVICE, meantService);
  }
  return undefined;
}

/** Messages know by its name that a variable holds a URL; under another name all of it is hidden. */
const shownUnder = (name: string, value: string, { secrecy }: Variable): string =>
  secrecy === "shown" || (secrecy === "unlisted" && name.endsWith("URL")) ? value : HIDDEN;
