import { decoded } from "./text.ts";

const NATS_FORM =
  "nats://user:password@host:4222 or tls://…, commas between, in a password % and two digits for / ? # @ ,";

/** The form that `NATS_URL` should have had; undefined when it is as it should be. */
export function natsUrlProblem(urls: string): string | undefined {
  const isUsable = (url: string): boolean => {
    if (!URL.canParse(url)) return false;
    const { protocol, hostname, pathname, search, hash } = new URL(url);
    // A path, a query or a fragment is most likely the rest of a password.
    return /^(nats|tls):$/.test(protocol) && hostname !== "" && /^\/?$/.test(pathname) && !search && !hash;
  };
  return urls.split(",").every(url => isUsable(url.trim())) ? undefined : NATS_FORM;
}

export interface NatsFiles {
  readonly NATS_CA?: string | undefined;
  readonly NATS_CERT?: string | undefined;
  readonly NATS_KEY?: string | undefined;
}

/** Milliseconds of one attempt to connect: a server that waits for our certificate says nothing, and the client waited 20 s. */
const CONNECT_MS = 5_000;

/**
 * Connection options of the NATS client for a checked `NATS_URL`: `nats://user:password@host:port` or `tls://…`, several
 * with commas between for a cluster; with the files of `NATS_CA`, `NATS_CERT` and `NATS_KEY`, and with an inbox that no
 * user of another name may read.
 */
export function natsOptions(
  urls: string,
  { NATS_CA, NATS_CERT, NATS_KEY }: NatsFiles = {},
): {
  servers: string[];
  user?: string;
  pass?: string;
  tls?: { caFile?: string; certFile?: string; keyFile?: string };
  inboxPrefix?: string;
  timeout: number;
  ignoreAuthErrorAbort: true;
} {
  const parsed = urls.split(",").map(url => new URL(url.trim()));
  const { username, password, protocol } = parsed[0]!;
  const user = decoded(username);
  const files = {
    ...(NATS_CA !== undefined && { caFile: NATS_CA }),
    ...(NATS_CERT !== undefined && { certFile: NATS_CERT }),
    ...(NATS_KEY !== undefined && { keyFile: NATS_KEY }),
  };
  return {
    servers: parsed.map(({ hostname, port }) => `${hostname}:${port || "4222"}`),
    ...(username && { user, pass: decoded(password), inboxPrefix: inboxPrefix(user) }),
    ...(protocol === "tls:" && { tls: files }),
    timeout: CONNECT_MS,
    // A server that refuses us twice, as while its passwords change, would end the reconnecting for good.
    ignoreAuthErrorAbort: true,
  };
}

/** Subjects of a user's answers. A wildcard stands for a whole token, so that the user's name is one. */
export const inboxPrefix = (user: string): string => `_INBOX.${user.replaceAll(/[^\w-]/g, "=") || "="}`;
