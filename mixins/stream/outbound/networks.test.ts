import { describe, expect, test } from "@jest/globals";
import { readEnvironment } from "../../kernel/index.ts";
import { outboundEnvironment } from "./environment.ts";
import { Networks } from "./networks.ts";

const SECURE = { isPlain: false };

describe("without a variable", () => {
  const networks = new Networks();
  test.each(["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946"])(
    "%s is public, by TLS alone",
    address => {
      expect([networks.allows(address, SECURE), networks.allows(address, { isPlain: true })]).toEqual([true, false]);
    },
  );
  test.each([
    ["loopback", "127.0.0.1"],
    ["all of loopback", "127.8.9.1"],
    ["this host", "0.0.0.0"],
    ["private", "10.1.2.3"],
    ["private", "172.31.255.255"],
    ["private", "192.168.0.1"],
    ["a carrier's", "100.64.0.1"],
    ["link-local, of clouds' metadata", "169.254.169.254"],
    ["multicast", "224.0.0.1"],
    ["broadcast", "255.255.255.255"],
    ["loopback", "::1"],
    ["unspecified", "::"],
    ["unique local", "fd00::1"],
    ["link-local", "fe80::1"],
    ["IPv4 as IPv6", "::ffff:127.0.0.1"],
    ["public IPv4 as IPv6", "::ffff:8.8.8.8"],
    ["IPv4 behind NAT64", "64:ff9b::7f00:1"],
    ["IPv4 in 6to4", "2002:7f00:1::"],
    ["Teredo", "2001::1"],
    ["documentation", "2001:db8::1"],
    ["no address", "localhost"],
  ])("%s is not allowed: %s", (_kind, address) => {
    expect(networks.allows(address, SECURE)).toBe(false);
  });
});

test("a network that is named is allowed, by http too, and no other", () => {
  const networks = new Networks(["127.0.0.0/8", "fd00::/8"]);
  for (const isPlain of [true, false]) {
    expect(["127.0.0.1", "fd12::1"].map(address => networks.allows(address, { isPlain }))).toEqual([true, true]);
    expect(["10.0.0.1", "::1"].map(address => networks.allows(address, { isPlain }))).toEqual([false, false]);
  }
});

test.each(["127.0.0.0", "300.0.0.0/8", "10.0.0.0/33", "fd00::/129", "desk.example/8"])(
  "a start refuses WEBHOOK_NETWORKS=%s",
  WEBHOOK_NETWORKS => {
    expect(() => outboundEnvironment.of(readEnvironment({ WEBHOOK_NETWORKS }))).toThrow(
      /^WEBHOOK_NETWORKS="[^"]+": expected networks such as/,
    );
  },
);
