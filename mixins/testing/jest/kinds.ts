// The last word of a test file's name before `.test.ts` says what the file needs, and decides where it runs. There are
// no other lists.
//
//   loan.test.ts           nothing: it runs in milliseconds, wherever Node does
//   loans.int.test.ts      a database: it runs on SQLite, and once more on Postgres
//   mails.db.test.ts       a database whose kind it does not test: it runs on SQLite, and on Postgres with `npm run
//                          test:postgres` (POSTGRES=all), not in an ordinary run
//   torn.sqlite.test.ts    SQLite, whatever else runs on Postgres; so do the brokers of the following kinds
//   lane.postgres.test.ts  a Postgres server
//   lease.redis.test.ts    a Redis server
//   feed.nats.test.ts      a NATS server
//   feed.kafka.test.ts     Apache Kafka: skipped where neither Java nor Maven is
//   server.http.test.ts    an HTTP server in this process
//   start.e2e.test.ts      processes of its own
//
// A file named after such a thing alone (`dialects/postgres/postgres.test.ts`) needs it.

export const PROJECTS = ["unit", "int", "postgres", "kafka"] as const;
export type Project = (typeof PROJECTS)[number];

/** Whether tests of the kind `db` run on Postgres as well. */
const isAllOnPostgres = process.env["POSTGRES"] === "all";

/** The need of each kind, as text, and the projects that it runs in. */
const KINDS: Readonly<Record<string, { readonly needs: string; readonly projects: readonly Project[] }>> = {
  int: { needs: "a database", projects: ["int", "postgres"] },
  db: { needs: "a database", projects: isAllOnPostgres ? ["int", "postgres"] : ["int"] },
  sqlite: { needs: "SQLite", projects: ["int"] },
  postgres: { needs: "a Postgres server", projects: ["postgres"] },
  redis: { needs: "a Redis server", projects: ["int"] },
  nats: { needs: "a NATS server", projects: ["int"] },
  kafka: { needs: "Apache Kafka", projects: ["kafka"] },
  http: { needs: "an HTTP server", projects: ["int"] },
  e2e: { needs: "processes", projects: ["int"] },
};
const UNIT = { needs: "nothing", projects: ["unit"] } as const;

/** The need of the test file at this path, and the projects that it runs in. */
export function kindOf(path: string): { readonly needs: string; readonly projects: readonly Project[] } {
  const [, word = ""] = /(?:^|[./\\])(\w+)\.test\.ts$/.exec(path) ?? [];
  return Object.hasOwn(KINDS, word) ? KINDS[word]! : UNIT;
}

/** The files of a project, as jest's `testRegex`. */
export function filesOf(project: Project): string {
  const words = (of: (projects: readonly Project[]) => boolean): string =>
    Object.entries(KINDS)
      .filter(([, { projects }]) => of(projects))
      .map(([word]) => word)
      .join("|");
  return project === "unit"
    ? `(?<![./\\\\](?:${words(() => true)}))\\.test\\.ts$`
    : `[./\\\\](?:${words(projects => projects.includes(project))})\\.test\\.ts$`;
}

/**
 * The projects that jest's option `--selectProjects` names in these arguments; empty without the option. Jest takes
 * every following word for a project, even a path, and would run the other projects' tests: that throws.
 */
export function projectsIn(args: readonly string[]): Project[] {
  const at = args.findIndex(arg => arg === "--selectProjects" || arg.startsWith("--selectProjects="));
  if (at < 0) return [];
  const [, first] = args[at]!.split("=");
  const end = args.findIndex((arg, n) => n > at && arg.startsWith("-"));
  return [...(first === undefined ? [] : [first]), ...args.slice(at + 1, end < 0 ? undefined : end)].map(word => {
    if ((PROJECTS as readonly string[]).includes(word)) return word as Project;
    throw new Error(
      `"${word}" is no project (${PROJECTS.join(", ")}). A path comes before --selectProjects, or after: npm test -- ${word}`,
    );
  });
}

/** The command that runs this file alone, in this project. */
export function commandFor(path: string, project: Project): string {
  if (project !== "int") return `npm run test:${project} -- ${path}`;
  return `npm run test:int -- ${path}${kindOf(path).projects.length > 1 ? " --selectProjects int" : ""}`;
}
