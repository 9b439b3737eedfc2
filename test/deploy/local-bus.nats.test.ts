// The bus of a cluster on one machine, as compose.yaml and k8s/overlays/local configure it: over TLS, with the certificates that
// lie in the repository.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "nats";
import { natsOptions } from "@valence/runtime/kernel";
import type { Nats } from "@valence/runtime/testing/servers";
import { LOCAL, startLocalBus, tls, TLS_FILES, urlOf, USERS } from "./local-bus.ts";
import { ROOT } from "./manifests.ts";

let nats: Nats;
beforeAll(async () => void (nats = await startLocalBus()));
afterAll(() => nats.stop());

const connected = (user: string, files: object) =>
  connect({ ...natsOptions(urlOf(nats, user), files), reconnect: false });

test.each(USERS)("%s connects by its certificate", async user => {
  await (await connected(user, TLS_FILES)).close();
});

test("nobody connects without one, or without TLS", async () => {
  await expect(connected("core", { NATS_CA: TLS_FILES.NATS_CA })).rejects.toThrow();
  await expect(connect(natsOptions(`nats://core:valence@localhost:${nats.port}`))).rejects.toThrow();
});

test("the server's certificate has the names by which the nodes call it, for years", () => {
  const certificate = new X509Certificate(readFileSync(tls("server.crt")));
  const urls = [join(ROOT, "compose.yaml"), join(LOCAL, "kustomization.yaml")].flatMap(file => [
    ...readFileSync(file, "utf8").matchAll(/tls:\/\/[\w-]+:\w+@([\w.]+):/g),
  ]);
  expect(urls).toHaveLength(2 * USERS.length);
  for (const [, host] of urls) expect(certificate.checkHost(host!)).toBe(host);
  for (const file of ["ca.crt", "server.crt", "client.crt"])
    expect(new Date(new X509Certificate(readFileSync(tls(file))).validTo).getFullYear()).toBeGreaterThan(2090);
});
