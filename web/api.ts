// The API as the pages call it: the typed client, with the cookie of a session that no script sees.
import { cookies, createClient, type Client, type RowOf } from "../client/index.ts";

export { ProblemError, type AnswerOf, type InputOf } from "../client/index.ts";
export type Api = Client;
export type Product = RowOf<Client["products"]["list"]>;

/** Calls as whoever is signed in to this session of the browser, `shop` or `console`. `onEnd`: the session is over. */
export const createApi = (session: string, onEnd: () => void): Api =>
  createClient({ credentials: cookies({ name: session, onEnd }), fetch: ask });

/**
 * `stale-while-revalidate` is for networks; a browser that heeds it shows a price that was. So each answer that it has is asked for
 * again, and mostly not sent again (304). A change reaches the shop although the page is left.
 */
const ask = (url: string, init: RequestInit): Promise<Response> =>
  fetch(url, { ...init, cache: "no-cache", keepalive: init.method !== "GET" });
