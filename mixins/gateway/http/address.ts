// Where a request comes from, as what limits count by.
import type { IncomingMessage } from "node:http";
import { isIP, isIPv6 } from "node:net";

/**
 * The client's network: an IPv4 address, or the first 64 bits of an IPv6 one, which is the least that one customer of a
 * provider gets. `proxies` is how many stand before us: each appends to X-Forwarded-For whom it got the request from, so
 * what lies further to the left is what the client made up.
 */
export function addressOf(req: IncomingMessage, proxies: number): string {
  const peer = req.socket.remoteAddress ?? "";
  if (proxies === 0) return networkOf(peer);
  const forwarded = String(req.headers["x-forwarded-for"] ?? "")
    .split(",")
    .map(text => text.trim());
  return networkOf(forwarded.at(-proxies) ?? forwarded[0]!) || networkOf(peer);
}

/** Empty for what is no address. */
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
