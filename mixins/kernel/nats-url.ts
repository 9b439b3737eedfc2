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

/**
 * Connection options of the NATS client for a checked `NATS_URL`: `nats://user:password@host:port` or `tls://…`, several
 * with commas between for a cluster.
 */
export function natsOptions(urls: string): {
  servers: string[];
  user?: string;
  pass?: string;
  tls?: object;
  ignoreAuthErrorAbort: true;
} {
  const parsed = urls.split(",").map(url => new URL(url.trim()));
  const { username, password, protocol } = parsed[0]!;
  return {
    servers: parsed.map(({ hostname, port }) => `${hostname}:${port || "4222"}`),
    ...(username && { user: decoded(username), pass: decoded(password) }),
    ...(protocol === "tls:" && { tls: {} }),
    // A server that refuses us twice, as while its passwords change, would end the reconnecting for good.
    ignoreAuthErrorAbort: true,
  };
}
