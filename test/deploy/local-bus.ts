// The bus of a cluster on one machine, as compose.yaml and k8s/overlays/local configure it, started here.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Nats } from "@valence/runtime/testing/servers";
import { ROOT } from "./manifests.ts";

export const LOCAL = join(ROOT, "k8s/overlays/local");
export const tls = (file: string): string => join(LOCAL, "cluster/tls", file);
/** The files of a client, in place of those that a pod has. */
export const TLS_FILES = { NATS_CA: tls("ca.crt"), NATS_CERT: tls("client.crt"), NATS_KEY: tls("client.key") };

const users = readFileSync(join(ROOT, "k8s/base/nats-users.conf"), "utf8");
const passwords = [...users.matchAll(/user: ([\w-]+), password: \$(\w+)/g)];
export const USERS: readonly string[] = passwords.map(([, user]) => user!);

export function startLocalBus(): Promise<Nats> {
  // The ports, the place of the files and JetStream's folder are those of the container.
  const own = readFileSync(join(LOCAL, "nats.conf"), "utf8")
    .replaceAll(/^(server_name|listen|http|pid_file|include|jetstream) ?.*$/gm, "")
    .replace("/etc/nats-tls/tls.crt", tls("server.crt"))
    .replace("/etc/nats-tls/tls.key", tls("server.key"))
    .replace("/etc/nats-tls/ca.crt", tls("ca.crt"));
  return Nats.start([...passwords.map(([, , variable]) => `${variable}: valence`), users, own].join("\n"));
}

export const urlOf = (nats: Nats, user: string): string => `tls://${user}:valence@localhost:${nats.port}`;
