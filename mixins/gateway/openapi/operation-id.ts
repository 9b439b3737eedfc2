// The name of an operation, which generated clients make a method of: `listBooks`, `openLoan`, `getLoanHistory`. It
// follows from the route and the verb of its action, so that nobody has to name operations, and stays the same as long as
// both do.
//
//   reads    `get` and the resource of the URL; `list` where it is a collection
//   changes  the action's verb and the resource; the verb's own noun is not said twice: `shelves.removeItem`
//            on `/shelf/items/:id` is `removeShelfItem`
//
// A first part of the URL that is no resource itself (`/auth/…`, `/ops/…`) groups others and is left out. Routes of a
// later version end with it: `listLoansV2`.

interface Named {
  readonly method: string;
  readonly url: string;
  /** The full name of the action, `shelves.removeItem`. */
  readonly action: string;
}

/** The ids of all routes of an API, in their order. Two that would be equal are told apart by a number. */
export function operationIds(routes: readonly Named[]): string[] {
  const resources = new Set(routes.map(({ url }) => placeOf(url).segments.join("/")));
  const used = new Map<string, number>();
  return routes.map(route => {
    const id = idOf(route, first => resources.has(first));
    const times = (used.get(id) ?? 0) + 1;
    used.set(id, times);
    return times === 1 ? id : `${id}_${times}`;
  });
}

function idOf({ method, url, action }: Named, isResource: (first: string) => boolean): string {
  const { version, segments } = placeOf(url);
  const suffix = version === "1" ? "" : `V${version}`;
  const [verb, ...object] = wordsOf(action.slice(action.lastIndexOf(".") + 1)) as [string, ...string[]];
  const isGroup = segments.length > 1 && !segments[1]!.startsWith(":") && !isResource(segments[0]!);
  const within = isGroup ? segments.slice(1) : segments;
  const isVerb = method !== "GET" && within.at(-1) === verb;
  const named = isVerb ? within.slice(0, -1) : within;
  const nouns = nounsOf(named);
  const last = named.at(-1);
  const isCollection = last !== undefined && !last.startsWith(":") && (verb === "list" || last !== singular(last));
  if (method === "GET") return camel([isCollection ? "list" : "get", ...nouns]) + suffix;
  // POST on a collection makes one of its items, unless the last part of the URL is the verb itself.
  if (isCollection && method === "POST" && !isVerb) nouns.push(singular(nouns.pop()!));
  if (singular(nouns.at(-1) ?? "") === verb) nouns.pop();
  return camel([verb, ...nouns, ...(endWith(nouns, object) ? [] : object)]) + suffix;
}

function placeOf(url: string): { version: string; segments: string[] } {
  const [, version = "1", path = url] = /^\/api\/v(\d+)(\/.*)$/.exec(url) ?? [];
  return {
    version,
    segments: path
      .replace(/^\/\.well-known\/(.*)\.json$/, "/well-known/$1")
      .split("/")
      .slice(1),
  };
}

/** The nouns of a path: singular where an id or another part follows. */
const nounsOf = (segments: readonly string[]): string[] =>
  segments.flatMap((segment, i) => {
    if (segment.startsWith(":")) return [];
    const words = wordsOf(segment);
    return i === segments.length - 1 ? words : [...words.slice(0, -1), singular(words.at(-1)!)];
  });

const endWith = (words: readonly string[], tail: readonly string[]): boolean =>
  tail.length <= words.length &&
  tail.every((word, i) => singular(word) === singular(words[words.length - tail.length + i]!));

const singular = (word: string): string =>
  word.endsWith("ies") ? `${word.slice(0, -3)}y` : word.replace(/(?<=[^s])s$/, "");
const wordsOf = (text: string): string[] =>
  text
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter(word => word !== "");
const camel = (words: readonly string[]): string =>
  words.map((word, i) => (i === 0 ? word : word.charAt(0).toUpperCase() + word.slice(1))).join("");
