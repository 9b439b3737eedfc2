import type { IncomingMessage } from "node:http";
import { expect, test } from "@jest/globals";
import { addressOf, networkOf } from "./address.ts";

test.each([
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:DB8:1:2::6", "2001:db8:1:2::/64"],
  ["2001:db8::6", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["64:ff9b::192.0.2.7", "64:ff9b:0:0::/64"],
  ["unknown", ""],
  ["", ""],
])("the network of %s is %s", (address, network) => expect(networkOf(address)).toBe(network));

const from = (forwarded: string | undefined, proxies: number) =>
  addressOf(
    { socket: { remoteAddress: "10.0.0.9" }, headers: { "x-forwarded-for": forwarded } } as unknown as IncomingMessage,
    proxies,
  );

test.each([
  ["192.0.2.7", 0, "10.0.0.9"],
  [undefined, 1, "10.0.0.9"],
  ["192.0.2.7", 1, "192.0.2.7"],
  ["1.1.1.1, 192.0.2.7", 1, "192.0.2.7"],
  ["1.1.1.1, 192.0.2.7, 10.0.0.1", 2, "192.0.2.7"],
  ["192.0.2.7", 2, "192.0.2.7"],
  ["nonsense", 1, "10.0.0.9"],
  ["192.0.2.7:51234", 1, "192.0.2.7"],
  ["[2001:db8::1]:51234", 1, "2001:db8:0:0::/64"],
  ["[2001:db8::1]", 1, "2001:db8:0:0::/64"],
])("X-Forwarded-For %s behind %i proxies is %s", (forwarded, proxies, address) =>
  expect(from(forwarded, proxies)).toBe(address),
);
