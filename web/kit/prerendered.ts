// A page that came with its content in it (`build.ts --prerender`). Its first rendering in the browser has to be that of the build, or
// elements would be taken for others: nobody is signed in, nothing is remembered. Then what this browser knows comes in.
//
//   1. the HTML has the elements, and beside them the data that they were made of
//   2. `hydrate` takes the elements over; each `useResource` begins with the data, and asks whether it still holds
//   3. `hydrated` forgets the data, and runs what waits: values that the browser remembers
interface Prerendered {
  /** Path that the HTML was made for. */
  readonly path: string;
  /** By the key of a resource. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** False where the build makes the HTML. */
export const isBrowser = typeof document !== "undefined";
/** Id of the element with the data, as `web/prerender.ts` writes it. */
const DATA = "prerendered";
/** Fields of a query by which a page shows something else than the build has. */
const SHOWS_OTHERS = /[?&](?:q|sort|page)=/;

let given = isBrowser ? read() : undefined;
const waiting: (() => void)[] = [];

function read(): Prerendered | undefined {
  const text = document.getElementById(DATA)?.textContent;
  if (!text) return undefined;
  const data = JSON.parse(text) as Prerendered;
  // The same file may answer for an address with another query.
  return data.path === location.pathname && !SHOWS_OTHERS.test(location.search) ? data : undefined;
}

/** Whether the elements of this address are there to be taken over. */
export const isPrerendered = (): boolean => given !== undefined;
/** What the HTML was made of; undefined where it came without, and after the first rendering. */
export const givenData = (key: string): unknown => given?.data[key];
/** For the build: what the next page is made of. */
export const giveData = (next: Prerendered): void => void (given = next);

/** Runs after the first rendering of a page that came with its content; now on any other. */
export function afterHydration(run: () => void): void {
  if (given === undefined) run();
  else waiting.push(run);
}

/** The first rendering is done. */
export function hydrated(): void {
  given = undefined;
  for (const run of waiting.splice(0)) run();
}
