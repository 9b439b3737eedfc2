// The bus of a cluster on one machine, as compose.yaml and k8s/overlays/local configure it: over TLS, with the certificates that
// lie in the repository.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "nats";
import { natsOptions } from "@valence/runtime/kernel";
import { Nats } from "@valence/runtime/testing/servers";
import { ROOT } from "./manifests.ts";

const LOCAL = join(ROOT, "k8s/overlays/local");
const tls = (file: string): string => join(LOCAL, "cluster/tls", file);
const FILES = { NATS_CA: tls("ca.crt"), NATS_CERT: tls("client.crt"), NATS_KEY: tls("client.key") };
const users = readFileSync(join(ROOT, "k8s/base/nats-users.conf"), "utf8");
const names = [...users.matchAll(/user: ([\w-]+), password: \$(\w+)/g)];

let nats: Nats;
beforeAll(async () => {
  // The ports, the place of the files and JetStream's folder are those of the container.
  const own = readFileSync(join(LOCAL, "nats.conf"), "utf8")
    .replaceAll(/^(server_name|listen|http|pid_file|include|jetstream) ?.*$/gm, "")
    .replace("/etc/nats-tls/tls.crt", tls("server.crt"))
    .replace("/etc/nats-tls/tls.key", tls("server.key"))
    .replace("/etc/nats-tls/ca.crt", tls("ca.crt"));
  nats = await Nats.start([...names.map(([, , variable]) => `${variable}: valence`), users, own].join("\n"));
});
afterAll(() => nats.stop());

const connected = (user: string, files: object) =>
  connect({ ...natsOptions(`tls://${user}:valence@localhost:${nats.port}`, files), reconnect: false });

test.each(names.map(([, user]) => user!))("%s connects by its certificate", async user => {
  await (await connected(user, FILES)).close();
});

test("nobody connects without one, or without TLS", async () => {
  await expect(connected("core", { NATS_CA: FILES.NATS_CA })).rejects.toThrow();
  await expect(connect(natsOptions(`nats://core:valence@localhost:${nats.port}`))).rejects.toThrow();
});

test("the server's certificate has the names by which the nodes call it, for years", () => {
  const certificate = new X509Certificate(readFileSync(tls("server.crt")));
  const urls = [join(ROOT, "compose.yaml"), join(LOCAL, "kustomization.yaml")].flatMap(file => [
    ...readFileSync(file, "utf8").matchAll(/tls:\/\/[\w-]+:\w+@([\w.]+):/g),
  ]);
  expect(urls).toHaveLength(2 * names.length);
  for (const [, host] of urls) expect(certificate.checkHost(host!)).toBe(host);
  for (const file of ["ca.crt", "server.crt", "client.crt"])
    expect(new Date(new X509Certificate(readFileSync(tls(file))).validTo).getFullYear()).toBeGreaterThan(2090);
});
