// The rules of the source tree, as functions of its files: each answers a list of sentences, none when all is well.
import { dirname, join } from "node:path/posix";

/** Text by path, with `/`, relative to the root. */
export type Tree = ReadonlyMap<string, string>;

interface Import {
  readonly from: string;
  /** A path of the tree, or a package. */
  readonly to: string;
  readonly typeOnly: boolean;
}

/** A floor imports only from floors of a smaller number. */
const FLOORS: Readonly<Record<string, number>> = {
  kernel: 0,
  tracing: 1,
  metrics: 1,
  log: 2,
  contract: 2,
  redis: 2,
  http: 3,
  database: 3,
  cdn: 4,
  crud: 4,
  "event-store": 4,
  mail: 4,
  stream: 5,
  actor: 6,
  projection: 7,
  saga: 8,
  audit: 9,
  gateway: 10,
  accounts: 11,
  operations: 12,
  cli: 13,
};

/** The floor that plugs into the broker stands on these, and on the pure doors that it needs. */
const BELOW_BROKER = ["kernel", "tracing", "metrics", "log", "contract", "redis", "http"];

/** Tests, their helpers, and benchmarks: they may open inner rooms. */
const isForTests = (path: string): boolean =>
  /\.(test|conformance|fixture)\.ts$|\.test-d\.ts$|(^|\/)negative\.ts$/.test(path) ||
  /^(test|benchmarks|mixins\/testing|mixins\/cli\/templates)\/|^jest\.config\.mjs$/.test(path);
const isCode = (path: string): boolean => /\.(tsx?|mjs)$/.test(path);

/**
 * The folder that the file belongs to: `mixins/saga`, `services/orders`. `services` alone: vocabulary that all share.
 */
function ownerOf(path: string): string {
  const [top = "", folder = ""] = path.split("/");
  const isFile = path.split("/").length === 2;
  return top === "mixins" || top === "services" ? (isFile ? top : `${top}/${folder}`) : top;
}

export function importsOf(path: string, text: string): Import[] {
  const found: Import[] = [];
  const add = (name: string, typeOnly: boolean) =>
    found.push({ from: path, to: name.startsWith(".") ? join(dirname(path), name) : (doorOf(name) ?? name), typeOnly });
  const statement = /^(?:import|export)\s+(type\s)?(?:[\w*\s{},]*?\sfrom\s+)?"([^"]+)"/gm;
  for (const [, type, name] of text.matchAll(statement)) add(name!, type !== undefined);
  for (const [, name] of text.matchAll(/\bimport\("([^"]+)"\)/g)) add(name!, false);
  // A worker's file, or a process that a test starts.
  for (const [, name] of text.matchAll(/new URL\("(\.[^"]+)"/g)) add(name!, false);
  for (const [, name] of text.matchAll(/"([\w.-]+\.tsx?)"/g)) add(`./${name}`, false);
  // Files that jest's configuration names.
  for (const [, name] of text.matchAll(/"<rootDir>\/([^"]+\.(?:ts|mjs))"/g)) add(name!, false);
  return found;
}

/** The file behind a door of the runtime: `@valence/runtime/actor/mixin` is `mixins/actor/mixin.ts`. */
function doorOf(name: string): string | undefined {
  const [, floor, inner = "index"] = /^@valence\/runtime\/([\w-]+)(?:\/([\w/-]+))?$/.exec(name) ?? [];
  return floor && `mixins/${floor}/${inner}.ts`;
}

const codeOf = (tree: Tree): [string, string][] => [...tree].filter(([path]) => isCode(path));
const allImports = (tree: Tree): Import[] => codeOf(tree).flatMap(([path, text]) => importsOf(path, text));

/** Imports run downward: the floors of the runtime, then services; `mixins/broker` stands on the lowest floors. */
export function importsRunDownward(tree: Tree): string[] {
  return allImports(tree)
    .filter(({ from, to }) => isForbidden(from, to))
    .map(({ from, to }) => `${from} must not import ${to}`);
}
function isForbidden(from: string, to: string): boolean {
  const [here, there] = [ownerOf(from), ownerOf(to)];
  if (here === there) return false;
  // `valence test` and `valence freeze` are for authors of services.
  if (here === "mixins/cli" && there === "mixins/testing") return false;
  if (isForTests(to) && !isForTests(from)) return true;
  if (here.startsWith("mixins/") && there.startsWith("services")) return true;
  if (isForTests(from)) return false;
  if (there === "mixins/broker") return from !== "moleculer.config.ts" && here !== "mixins/cli";
  if (here === "mixins/broker") {
    // Rendezvous hashing belongs to actors and is needed where an endpoint is chosen; the pure door loads no broker.
    if (to === "mixins/actor/index.ts") return from !== "mixins/broker/placement-strategy.ts";
    return isOfHouse(there) && !BELOW_BROKER.includes(there.slice("mixins/".length));
  }
  if (here.startsWith("mixins/") && there.startsWith("mixins/"))
    return !(FLOORS[there.slice("mixins/".length)]! < FLOORS[here.slice("mixins/".length)]!);
  return false;
}

const isOfHouse = (owner: string): boolean => /^(mixins|services)(\/|$)/.test(owner);

/** Files that measure a part of the runtime by itself, with the room that they open. */
const MEASURES_A_PART: readonly string[] = [
  "benchmarks/carriers.ts",
  "benchmarks/event-store.ts",
  "benchmarks/postgres.ts",
  "benchmarks/shop/micro.ts",
  "benchmarks/shop/replay.ts",
  "services/api/cost.test.ts",
];

/**
 * Other folders come in by a door: `index.ts` or `mixin.ts` of a runtime folder, `contract.ts` of a service. A service
 * imports a contract as a type; the gateway's routes take schemas from it, since it is a pure value. `siblings.ts` is
 * the door for other folders of the runtime. Tests beside the runtime's code and in `test/` open any room, tests of
 * services only doors.
 */
export function onlyDoorsAreUsed(tree: Tree): string[] {
  const say = ({ from, to }: Import, rule: string) => `${from} imports ${to}: ${rule}`;
  return allImports(tree).flatMap(found => {
    const { from, to, typeOnly } = found;
    const there = ownerOf(to);
    if (ownerOf(from) === there || from === "moleculer.config.ts" || MEASURES_A_PART.includes(from)) return [];
    // The types of the client are those of the routes; its package has them in writing.
    if (from === "client/types.ts" && to === "services/api/routes/index.ts" && typeOnly) return [];
    if (from === "client/flat-types.ts") return [];
    if (there.startsWith("mixins/")) return isOpenTo(from, to) ? [] : [say(found, `doors are ${doorsFor(from)}`)];
    if (isForTests(from) || !there.startsWith("services/")) return [];
    // The data of a first start belongs to its service; only the seeding reads it.
    if (from.startsWith("services/seed/") && to.endsWith(".seed.ts")) return [];
    if (!to.endsWith("/contract.ts")) return [say(found, "of another service only contract.ts, as a type")];
    const isType = typeOnly || from.startsWith("services/api/routes/");
    return isType ? [] : [say(found, "a contract is imported as a type, but by the gateway's routes")];
  });
}

/**
 * Pages and programs of others load the client, so that it loads nothing of the server and no package. The pages know the server
 * by the client alone.
 */
export function clientLoadsNoServer(tree: Tree): string[] {
  return allImports(tree)
    .filter(({ from }) => /^(client|web)\//.test(from) && !isForTests(from) && !isTool(from))
    .flatMap(({ from, to, typeOnly }) => {
      const isOwn = ownerOf(to) === ownerOf(from) || (from.startsWith("web/") && ownerOf(to) === "client");
      if (from.startsWith("client/") ? isOwn || typeOnly : !isOfHouse(ownerOf(to))) return [];
      return [`${from} imports ${to}: the server is known by the types of the client alone`];
    });
}
/** Programs that pack the client or build the pages. */
const isTool = (path: string): boolean => /^client\/(packing|flat-types)\.ts$|^web\/[^/]+\.ts$/.test(path);

const isSibling = (path: string): boolean => path.startsWith("mixins/");
const doorsFor = (from: string): string => `index.ts and mixin.ts${isSibling(from) ? ", and siblings.ts" : " only"}`;
function isOpenTo(from: string, to: string): boolean {
  // The command line belongs to the runtime, and opens what an operator may see and repair.
  if (ownerOf(from) === "mixins/cli") return true;
  if (isForTests(from) && (isSibling(from) || from.startsWith("test/") || isForTests(to))) return true;
  const door = /^mixins\/[^/]+\/(\w+)\.ts$/.exec(to)?.[1];
  return door === "index" || door === "mixin" || (door === "siblings" && isSibling(from));
}

/**
 * `index.ts` is the pure door: nothing behind it loads the broker. Exceptions: the broker's options, and the test kit.
 */
export function pureDoorsLoadNoBroker(tree: Tree): string[] {
  const doors = [...tree.keys()].filter(path => /^mixins\/(?!broker\/|testing\/)[^/]+\/index\.ts$/.test(path));
  return doors.flatMap(door => {
    const reached = reachableFrom(tree, [door], ({ typeOnly }) => !typeOnly);
    const loader = [...reached].find(path =>
      importsOf(path, tree.get(path)!).some(({ to, typeOnly }) => to === "moleculer" && !typeOnly),
    );
    return loader === undefined ? [] : [`${door} loads the broker by ${loader}`];
  });
}

/**
 * OpenTelemetry is loaded by `mixins/tracing` alone, and there only by an import at the time of a start: a process that traces
 * nothing does not pay for it.
 */
export function onlyTracesLoadOpenTelemetry(tree: Tree): string[] {
  const isSdk = (name: string): boolean => name.startsWith("@opentelemetry/");
  const loaders = allImports(tree).filter(({ from, to }) => isSdk(to) && !isForTests(from));
  const others = loaders.filter(({ from }) => ownerOf(from) !== "mixins/tracing");
  const atOnce = new Map([...tree].map(([path, text]) => [path, text.replaceAll(/\bimport\("[^"]+"\)/g, "")]));
  const reached = reachableFrom(atOnce, ["mixins/tracing/index.ts"], ({ typeOnly }) => !typeOnly);
  return [
    ...others.map(({ from, to }) => `${from} imports ${to}: make spans by the door of mixins/tracing`),
    ...loaders.filter(({ from }) => reached.has(from)).map(({ from }) => `${from} is loaded where nothing is traced`),
  ];
}

/**
 * Hashes that are slow on purpose are made in one place, in turns: elsewhere a stranger's requests would fill the pool of threads
 * beside them, and everybody who logs in would wait.
 */
export function slowHashesTakeTurns(tree: Tree): string[] {
  const isSlow =
    /\b(scrypt|pbkdf2)(Sync)?\b|\bargon2(Sync)?\(|["'](@node-rs\/argon2|argon2|bcrypt(js)?|@node-rs\/bcrypt)["']/;
  return codeOf(tree)
    .filter(([path, text]) => !isForTests(path) && path !== PASSWORDS && isSlow.test(text))
    .map(([path]) => `${path} makes a slow hash: passwords go to ${PASSWORDS}, keys with enough random bits need none`);
}
const PASSWORDS = "mixins/accounts/passwords/passwords.ts";

/** What is counted goes through the meters: prom-client alone would look each series up by its labels. */
export function onlyMetricsLoadPrometheus(tree: Tree): string[] {
  return allImports(tree)
    .filter(({ from, to }) => to === "prom-client" && ownerOf(from) !== "mixins/metrics" && !isForTests(from))
    .map(({ from }) => `${from} imports prom-client: count by the door of mixins/metrics`);
}

/** A contract stands on schemas alone: an importer loads no code of the service. */
export function contractsArePure(tree: Tree): string[] {
  const isVocabulary = (path: string) => /^services\/[^/]+\.ts$/.test(path);
  return allImports(tree)
    .filter(({ from, typeOnly }) => !typeOnly && (isVocabulary(from) || /^services\/.+\/contract\.ts$/.test(from)))
    .filter(({ from, to }) => !isForTests(from) && !isPureVocabulary(to, isVocabulary))
    .map(({ from, to }) => `${from} imports ${to}: a contract is a pure value`);
}
const isPureVocabulary = (path: string, isVocabulary: (path: string) => boolean): boolean =>
  path === "typebox" ||
  /^mixins\/(accounts|contract|kernel|projection)\/index\.ts$|^services\/[^/]+\/errors\.ts$/.test(path) ||
  isVocabulary(path);

/**
 * Words of the shop. A runtime that has them fits no other domain. `order` alone is left out: it is also a sequence.
 */
const SHOP_WORDS = [
  /\b(?:shop|storefront|cart|basket|checkout|customer|merchant|product|catalog|stock|sku|warehouse)s?\b/i,
  /\b(?:inventory|inventories|payments?|refunds?|invoices?|shipments?|shipping|order-?(?:view|list)s?)\b/i,
  /\borders\b(?! by)|(?<!\bin )\ban order\b|["'`]order[.:@]\w+|\borderId\b/i,
  /(?:[cC]art|[cC]ustomer|[pP]roduct|[cC]atalog|[sS]tock|[pP]ayment|[rR]efund|[sS]hipment)s?(?:[A-Z]|Id\b)\w*/,
];
/** Files of the runtime that still have words of the shop, by pattern, and why. An entry that no file needs is reported. */
const SHOP_WORDS_ALLOWED: Readonly<Record<string, string>> = {};

/** The runtime has no word of the shop: not in code, not in comments, not in tests. */
export function runtimeKnowsNoShop(
  tree: Tree,
  allowed: Readonly<Record<string, string>> = SHOP_WORDS_ALLOWED,
): string[] {
  const patterns = Object.keys(allowed).map(key => ({ key, matches: patternOf(key), isNeeded: false }));
  const found: string[] = [];
  for (const [path, text] of tree) {
    if (!path.startsWith("mixins/") || !SHOP_WORDS.some(words => words.test(text))) continue;
    const entries = patterns.filter(({ matches }) => matches.test(path));
    for (const entry of entries) entry.isNeeded = true;
    if (entries.length > 0) continue;
    for (const [n, line] of text.split("\n").entries()) {
      const word = SHOP_WORDS.map(words => words.exec(line)?.[0]).find(match => match !== undefined);
      if (word !== undefined) found.push(`${path}:${n + 1} has a word of the shop: ${word}`);
    }
  }
  // The example of a broken tree has no such files.
  const unneeded = tree.has("package.json") ? patterns.filter(({ isNeeded }) => !isNeeded) : [];
  return [...found, ...unneeded.map(({ key }) => `${key} has no word of the shop: take it off the list`)];
}
/** `*` is any text. */
const patternOf = (text: string): RegExp =>
  new RegExp(`^${text.replaceAll(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`);

/**
 * Services call each other by the broker: an instance of another service exists only in its own process, and its fields
 * are its own.
 */
export function servicesKeepApart(tree: Tree): string[] {
  return codeOf(tree)
    .filter(([path, text]) => !isForTests(path) && path !== MAKES_ADMINISTRATOR && text.includes("getLocalService("))
    .map(([path]) => `${path} reaches into another service: call an action, or declare a mechanism in mixins/kernel`);
}
/** No action makes an administrator, so that no node of the bus can. */
const MAKES_ADMINISTRATOR = "services/seed/seed.service.ts";

/**
 * Every file is an entry, or an entry reaches it. Code that only tests use lies with the tests, and its name says so.
 */
export function noFileIsDead(tree: Tree): string[] {
  const code = codeOf(tree).map(([path]) => path);
  const entries = code.filter(
    path =>
      !path.includes("/") ||
      // The first line of a command says how it is run.
      tree.get(path)!.startsWith(`// node ${path} `) ||
      /^(mixins|client)\/packing\.ts$|^client\/index\.ts$/.test(path) ||
      path === "mixins/packing.ts" ||
      // The HTML of each application names its first script, the build what it runs itself.
      /^web\/[^/]+\/(main\.tsx|prerender\.tsx|theme\.js)$/.test(path) ||
      /^(mixins\/cli|mixins\/testing\/jest|benchmarks)\//.test(path) ||
      /^mixins\/[^/]+\/(index|mixin|siblings)\.ts$/.test(path) ||
      path.endsWith(".service.ts") ||
      /^services\/[^/]+\/(contract|environment|failpoints|smoke)\.ts$/.test(path),
  );
  const tests = code.filter(path => /\.test\.ts$|(^|\/)negative\.ts$/.test(path));
  const alive = reachableFrom(tree, entries);
  const tested = reachableFrom(tree, tests);
  return code
    .filter(path => !alive.has(path) && !(isForTests(path) && tested.has(path)))
    .map(path => `${path} is imported by nothing${isForTests(path) ? "" : " but tests, at most"}`);
}

function reachableFrom(tree: Tree, starts: readonly string[], follows: (found: Import) => boolean = () => true) {
  const reached = new Set<string>();
  const queue = [...starts];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    const text = tree.get(path);
    if (text === undefined || !isCode(path) || reached.has(path)) continue;
    reached.add(path);
    queue.push(
      ...importsOf(path, text)
        .filter(follows)
        .map(({ to }) => to),
    );
  }
  return reached;
}

const LEFTOVERS: readonly [RegExp, string][] = [
  [/\b(TODO|FIXME|XXX|HACK)\b/, "do it, or leave it"],
  [/\b(test|describe|it)\.only\b/, "the other tests would not run"],
  [/@ts-ignore\b/, "use @ts-expect-error, which complains when it is no longer needed"],
  [/\/(work|home|root|Users)\/\w/, "a path of one machine"],
  [/\b(DESIGN|RUNTIME|STYLE|PITFALLS|GATEWAY|MOLECULER)(\.md| (section )?\d)/, "a page that readers do not have"],
];

/** No notes of the author are left over. (These two files name what they look for.) */
export function nothingIsLeftOver(tree: Tree): string[] {
  return linesOf(tree).flatMap(({ path, line, number, before }) => {
    const found = LEFTOVERS.filter(([pattern]) => pattern.test(line)).map(([, why]) => why);
    if (/\b(test|describe|it)\.(skip|todo)\b/.test(line) && !/^\s*\/\/ \w+/.test(before))
      found.push("a skipped test gives its reason in a comment above");
    return found.map(why => `${path}:${number}: ${why}`);
  });
}

function linesOf(tree: Tree) {
  return [...tree]
    .filter(([path]) => (isCode(path) || path.endsWith(".md")) && !path.startsWith("test/tidy."))
    .flatMap(([path, text]) =>
      text.split("\n").map((line, n, lines) => ({ path, line, number: n + 1, before: lines[n - 1] ?? "" })),
    );
}

/** What a page may not have, under its policy and its laws. */
const UNSAFE_IN_PAGES: readonly [RegExp, string][] = [
  [/dangerouslySetInnerHTML|\b(inner|outer)HTML\b|insertAdjacentHTML|document\.write\b/, "text that becomes markup"],
  [/<style\b|\sstyle=|\.setAttribute\("style"/, "a style outside of the style sheets"],
  [/<script(?![^>]*\ssrc=)/, "a script inside of a page"],
  [/\beval\(|new Function\(/, "text that becomes code"],
  [/["'(]\s*(?:https?:)?\/\/[\w.-]+\.\w/, "an address of elsewhere"],
];

/** Pages stand on themselves, the client of the API and their packages; they load nothing from elsewhere, and no text becomes code. */
export function pagesKeepApart(tree: Tree): string[] {
  const pages = [...tree].filter(
    ([path]) => /^web\/[^/]+(?:\/.+\.(?:tsx?|css|js)|\.html)$/.test(path) && !isForTests(path),
  );
  const unsafe = pages.flatMap(([path, text]) =>
    UNSAFE_IN_PAGES.filter(([pattern]) => pattern.test(text)).map(([, what]) => `${path} has ${what}`),
  );
  const foreign = pages
    .flatMap(([path, text]) => (isCode(path) ? importsOf(path, text) : []))
    .filter(({ to }) => /^(mixins|services|test)\/|^node:/.test(to))
    .map(({ from, to }) => `${from} must not import ${to}: pages use the client of the API`);
  return [...unsafe, ...foreign];
}

/** The environment is read and checked in one place. Examples are programs of others; scripts may set variables for the runner, tests for a process. */
export function oneReaderOfTheEnvironment(tree: Tree): string[] {
  const readers = ["mixins/kernel/environment.ts", "mixins/kernel/failpoints.ts"];
  return codeOf(tree)
    .filter(([path, text]) => /\bprocess\.env\b/.test(text) && !readers.includes(path))
    .filter(([path]) => !isForTests(path) && !/^(mixins\/cli|examples|deploy)\//.test(path))
    .map(([path]) => `${path} reads process.env: declare the variable in an environment.ts`);
}

/** A failpoint that no code passes is a crash that is never tested. */
export function failpointsAreUsed(tree: Tree): string[] {
  const [declaring, code] = [true, false].map(declares =>
    codeOf(tree).filter(([path]) => !isForTests(path) && path.endsWith("/failpoints.ts") === declares),
  ) as [[string, string][], [string, string][]];
  return declaring
    .flatMap(([, text]) => [...(/defineFailpoints\(([^)]*)\)/.exec(text)?.[1] ?? "").matchAll(/"([^"]+)"/g)])
    .map(([, name]) => name!)
    .filter(name => !code.some(([, text]) => text.includes("failpoint(") && text.includes(`"${name}"`)))
    .map(name => `failpoint ${name} is in no code`);
}

/** A start checks what a floor declares only if `declared.ts` lists that floor. */
export function declarationsAreRead(tree: Tree): string[] {
  const reader = "mixins/cli/declared.ts";
  const read = importsOf(reader, tree.get(reader) ?? "").map(({ to }) => to);
  return [...tree.keys()]
    .filter(path => /^mixins\/(?!kernel\/|testing\/)[^/]+\/(environment|failpoints|metrics)\.ts$/.test(path))
    .filter(path => !read.includes(path))
    .map(path => `${path} is not read by ${reader}`);
}

/** Links within the pages lead somewhere. */
export function linksResolve(tree: Tree): string[] {
  const exists = (path: string) => tree.has(path) || [...tree.keys()].some(file => file.startsWith(`${path}/`));
  return pagesOf(tree).flatMap(([page, text]) =>
    [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link]) => {
      if (/^[a-z]+:/.test(link!)) return [];
      const [path = "", anchor] = link!.split("#");
      const target = path === "" ? page : join(dirname(page), path).replace(/\/$/, "");
      if (isOfGoneShop(tree, target)) return [];
      if (!exists(target)) return [`${page} links to ${link}, which is not there`];
      if (anchor === undefined || anchorsOf(tree.get(target) ?? "").includes(anchor)) return [];
      return [`${page} links to ${link}: no such heading`];
    }),
  );
}
/** The runtime's pages show the shop as an example. A team that has replaced it keeps the pages. */
const isOfGoneShop = (tree: Tree, path: string): boolean =>
  /^(services|web|client|(?:test|benchmarks)\/shop)\//.test(path) &&
  tree.has("mixins/kernel/index.ts") &&
  !tree.has("services/orders/order.ts");
const pagesOf = (tree: Tree): [string, string][] =>
  [...tree].filter(([path]) => path.endsWith(".md") && !path.startsWith("mixins/api/"));
const anchorsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );

/** Commands that the pages tell people to run are there: scripts of package.json, and `npx valence`'s own. */
export function commandsExist(tree: Tree): string[] {
  const { scripts } = JSON.parse(tree.get("package.json") ?? "{}") as { scripts?: Record<string, string> };
  const commands = [...(tree.get(COMMAND_LINE) ?? "").matchAll(/^ {2}"?([\w-]+)"?: \{/gm)].map(([, name]) => name);
  return pagesOf(tree).flatMap(([page, text]) => [
    ...[...text.matchAll(/\bnpm (?:run ([\w:-]+)|(start|test)\b)/g)]
      .map(([, run, short]) => (run ?? short)!)
      .filter(name => !scripts?.[name])
      .map(name => `${page} tells to run "${name}", which package.json does not have`),
    ...[...text.matchAll(/\bnpx valence +([a-z][\w-]*)/g)]
      .filter(([, name]) => !commands.includes(name))
      .map(([, name]) => `${page} tells to run "npx valence ${name}", which is no command`),
  ]);
}
const COMMAND_LINE = "mixins/cli/main.ts";

/**
 * Code in the pages is a part of a file that the tests compile and run. Its first line names the file; a line `// …` stands
 * for lines that are left out. `services/` of a page is the shop's, or that of the small domain in `test/hello`.
 */
export function codeInPagesIsReal(tree: Tree): string[] {
  return pagesOf(tree).flatMap(([page, text]) =>
    [...text.matchAll(/^```ts\n([^]*?)^```/gm)].flatMap(([, block]) => {
      const [, name = ""] = /^\/\/ (\S+)/.exec(block!) ?? [];
      if (isOfGoneShop(tree, name)) return [];
      const code = [name, name.replace(/^services\//, "test/hello/")].map(path => tree.get(path)).filter(Boolean);
      if (code.length === 0) return [`${page} has code that names no file in its first line`];
      const pieces = block!.slice(block!.indexOf("\n") + 1).split(/^\s*\/\/ …\n/m);
      return code.some(file => pieces.every(piece => unindented(file!).includes(unindented(piece).trim())))
        ? []
        : [`${page} shows code of ${name} that is not there`];
    }),
  );
}
const unindented = (text: string): string => text.replaceAll(/^[ \t]+/gm, "");

export interface ServiceFolder {
  readonly folder: string;
  readonly contract: { readonly service: string; readonly actor: string; readonly events: object };
}

/** A service is its folder, and its actor prefixes its events. */
export function namesAgree(services: readonly ServiceFolder[]): string[] {
  return services.flatMap(({ folder, contract: { service, actor, events } }) => [
    ...(service === folder ? [] : [`services/${folder} calls itself ${service}`]),
    ...Object.keys(events)
      .filter(type => !type.startsWith(`${actor}.`))
      .map(type => `${service}: event ${type} does not begin with ${actor}.`),
  ]);
}

/** Two actor types in one service would share a log, a database and an owner. */
export function oneActorAService(tree: Tree): string[] {
  const counts = new Map<string, number>();
  for (const [path, text] of codeOf(tree))
    if (path.startsWith("services/") && !isForTests(path)) {
      const here = [...text.matchAll(/\bdefineActor\(/g)].length;
      counts.set(ownerOf(path), (counts.get(ownerOf(path)) ?? 0) + here);
    }
  return [...counts].filter(([, count]) => count > 1).map(([owner]) => `${owner} defines more than one actor type`);
}
