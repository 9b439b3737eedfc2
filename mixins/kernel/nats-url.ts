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
  const parsed = urls.split(",").map(url => new URL(url));
  const { username, password, protocol } = parsed[0]!;
  return {
    servers: parsed.map(({ hostname, port }) => `${hostname}:${port || "4222"}`),
    ...(username && { user: decodeURIComponent(username), pass: decodeURIComponent(password) }),
    ...(protocol === "tls:" && { tls: {} }),
    // A server that refuses us twice, as while its passwords change, would end the reconnecting for good.
    ignoreAuthErrorAbort: true,
  };
}
