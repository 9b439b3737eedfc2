// Connection URLs of Postgres. The runtime sets all that decides a session's reads and writes, so a URL may name the server
// and how to reach it; two settings are merged with ours, and everything else is refused by name.
import { decoded, readEnvironment } from "../kernel/index.ts";

/** Parameters by which the driver reaches the server: they stay in the URL. */
const REACHING = new Set([
  "host",
  "port",
  "user",
  "password",
  "ssl",
  "sslmode",
  "sslcert",
  "sslkey",
  "sslrootcert",
  "sslnegotiation",
]);
/** Parameters that are read here, and taken out of the URL. */
const OURS = new Set(["pgbouncer", "options", "application_name"]);
/** Settings that are the runtime's own, or that its SQL and its promises rest upon. */
const SET_BY_US =
  /^(role|session_authorization|search_path|[a-z_]*_timeout|client_encoding|default_transaction_\w+|transaction_\w+|synchronous_commit|session_replication_role|standard_conforming_strings|datestyle|intervalstyle|bytea_output|row_security)$/;

/** Other parameters of drivers and poolers. Messages name only these: the rest of a password with `&` in it looks alike. */
const KNOWN =
  /^(\w+_timeout|timezone|search_path|schema|client_encoding|encoding|channel_binding|target_session_attrs|connection_limit|pool_timeout|keepalives|fallback_application_name|replication|gssencmode|krbsrvname|service|passfile|require_auth|load_balance_hosts|hostaddr|dbname|db)$/i;
const shownName = (name: string): string =>
  KNOWN.test(name) || SET_BY_US.test(name) ? `"${name}"` : "other parameters";

export interface PostgresUrl {
  /** The URL for the driver, without the parameters that are read here. */
  readonly connectionString: string;
  /** The user that logs in. */
  readonly user: string;
  /** Host, port and database, for people. */
  readonly place: string;
  readonly server: string;
  readonly database: string;
  /** `pgbouncer=true`: a pooler in transaction mode stands between. */
  readonly isPooled: boolean;
  /** Settings of the session beside ours, `name=value`. */
  readonly settings: readonly string[];
  readonly applicationName: string | undefined;
}

const FORM =
  "postgres://user:password@host:port/database, in a password %2F, %3F, %23, %40 and %2C for the characters / ? # @ and comma";

/** The user that logs in where a URL names none: the driver and libpq take the process's. */
function processUser(): string {
  const environment = readEnvironment();
  return environment.text("PGUSER") ?? environment.text("USER") ?? "";
}

/** The form that the URL should have had; undefined when it is right. `defaultUser` logs in where the URL names none. */
export function postgresUrlProblem(value: string, defaultUser = processUser()): string | undefined {
  const url = parse(value);
  // With a database in its path: libpq's default, the user's name, would be a surprise.
  if (!url || !/^postgres(ql)?:$/.test(url.protocol) || url.pathname.length < 2) return FORM;
  // Most likely the rest of a password.
  if (url.hash || `${url.pathname}${url.search}`.includes("@")) return FORM;
  if ((userOf(url) || defaultUser) === "") return "a URL with a user, or PGUSER to be set";
  for (const [name, value] of url.searchParams) {
    if (!REACHING.has(name) && !OURS.has(name)) return `a URL without ${shownName(name)} in its query`;
    if (name === "pgbouncer" && !["true", "false"].includes(value)) return `"pgbouncer" to be true or false`;
  }
  const settings = settingsIn(url.searchParams.get("options") ?? "");
  if (!settings) return `"options" in its query to be settings: -c name=value`;
  if (url.searchParams.get("pgbouncer") === "true" && settings.length > 0)
    return `a URL without "options": through PgBouncer none can be sent`;
  const taken = settings.map(setting => setting.split("=")[0]!).find(name => SET_BY_US.test(name));
  return taken === undefined ? undefined : `a URL without "${taken}" in its options, which the runtime sets itself`;
}

/** The parts of a URL that has no problem. */
export function readPostgresUrl(value: string, defaultUser = processUser()): PostgresUrl {
  const url = parse(value)!;
  const { searchParams } = url;
  const server = searchParams.get("host") || (url.host === NO_HOST ? "" : url.host) || "localhost";
  const user = userOf(url) || defaultUser;
  const settings = settingsIn(searchParams.get("options") ?? "") ?? [];
  const isPooled = searchParams.get("pgbouncer") === "true";
  const applicationName = searchParams.get("application_name") ?? undefined;
  for (const name of OURS) searchParams.delete(name);
  return {
    connectionString: url.href.replace(`@${NO_HOST}/`, "@/"),
    user,
    place: server + url.pathname,
    server,
    database: decoded(url.pathname.slice(1)),
    isPooled,
    settings,
    applicationName,
  };
}

/** Stands for a host that is missing behind an `@`, which libpq allows and WHATWG's parser does not. */
const NO_HOST = "no-host.invalid";
const parse = (value: string): URL | undefined => {
  const whole = value.replace(/^(postgres(?:ql)?:\/\/[^/?#]*@)\//, `$1${NO_HOST}/`);
  return URL.canParse(whole) ? new URL(whole) : undefined;
};

const userOf = ({ searchParams, username }: URL): string => searchParams.get("user") || decoded(username);

/** `-c name=value`, `-cname=value`, `--name=value`, blanks between; a blank in a value has a backslash before it. */
function settingsIn(options: string): string[] | undefined {
  const words = options.match(/(\\[^]|[^\\\s])+/g) ?? [];
  const settings: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const setting = word === "-c" ? words[++i] : /^(?:-c|--)(.+)$/s.exec(word)?.[1];
    const [, name, value] = /^([\w.-]+)=(.*)$/s.exec(setting ?? "") ?? [];
    if (name === undefined) return undefined;
    settings.push(`${name.toLowerCase().replaceAll("-", "_")}=${value}`);
  }
  return settings;
}
