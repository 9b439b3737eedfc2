// The network that a request comes from. Limits count by network.
import type { IncomingMessage } from "node:http";
import { isIP, isIPv6 } from "node:net";

/**
 * The client's network: an IPv4 address, or the first 64 bits of an IPv6 address, the least that a provider gives to one
 * subscriber. `proxies` is the number of proxies before us. Each appends to X-Forwarded-For the address that it got the
 * request from, so that entries further to the left are the client's own invention.
 */
export function addressOf(req: IncomingMessage, proxies: number): string {
  if (proxies === 0) return networkOfPeer(req.socket);
  const peer = req.socket.remoteAddress ?? "";
  const forwarded = String(req.headers["x-forwarded-for"] ?? "")
    .split(",")
    .map(text => withoutPort(text.trim()));
  return networkOf(forwarded.at(-proxies) ?? forwarded[0]!) || networkOf(peer);
}

/** The network of each connection, which is asked for three times in a request. */
const peers = new WeakMap<object, string>();

function networkOfPeer(socket: IncomingMessage["socket"]): string {
  let network = peers.get(socket);
  // A connection that has ended has no address any more.
  if (network === undefined) peers.set(socket, (network = networkOf(socket.remoteAddress ?? "")));
  return network;
}

/** Some balancers append the client's port: `192.0.2.7:51234`, `[2001:db8::1]:51234`. */
const withoutPort = (text: string): string => text.replace(/^(\d[\d.]*):\d+$|^\[(.*)\](?::\d+)?$/, "$1$2");

/** The network of an address; empty for text that is no address. */
export function networkOf(text: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text)?.[1];
  if (mapped !== undefined || !isIPv6(text)) return isIP(mapped ?? text) ? (mapped ?? text) : "";
  const [head, tail] = text.toLowerCase().replace(/%.*$/, "").split("::") as [string, string?];
  const groups = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : 8 - groups.length - after.length - (tail.includes(".") ? 1 : 0);
  const all = [...groups, ...Array<string>(zeros).fill("0"), ...after];
  return `${all
    .slice(0, 4)
    .map(group => parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}
