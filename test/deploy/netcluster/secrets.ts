// What the operators of a cluster make of the manifests: Secrets, from the store that External Secrets reads, and from the
// authority that cert-manager asks. Everything in the store is made here, as people make it for the first time.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Authority } from "@valence/runtime/testing/servers";
import { ROOT, type Manifest } from "../manifests.ts";
import { ofKind } from "../workloads.ts";

/** Values of a store, by `<key>#<property>`. */
export type Store = ReadonlyMap<string, string>;

export const ADMIN = { email: "admin@example.com", password: "for a cluster without a cluster" };

/** The values that `secrets.yaml` of production names. Passwords come as the store makes them up; keys, of our own commands. */
export function newStore(manifests: readonly Manifest[]): Store {
  const given = new Map<string, string>([
    ["valence/admin#email", ADMIN.email],
    ["valence/admin#password", ADMIN.password],
    ["valence/audit#signingKey", valence("audit", "new-key")],
    ...clusterKeys().map(([file, text]) => [`valence/cluster#${file}`, text] as const),
  ]);
  const named = ofKind(manifests, "ExternalSecret").flatMap(({ spec }) =>
    spec.data.map(({ remoteRef }: any) => `${remoteRef.key}#${remoteRef.property}`),
  );
  // A store may make up one that begins with a digit, which some programs take for a number.
  return new Map(named.map(name => [name, given.get(name) ?? `4e${randomBytes(16).toString("hex")}`]));
}

/** Made by the command that the documentation has for our roles. */
function clusterKeys(): [file: string, text: string][] {
  const page = readFileSync(join(ROOT, "docs/cluster-identity.md"), "utf8");
  const command = /^npx valence cluster-keys ((?:.*\\\n)*.*)$/m.exec(page)![1]!;
  const folder = mkdtempSync(join(tmpdir(), "cluster-keys-"));
  try {
    valence("cluster-keys", "--to", folder, ...command.replaceAll("\\\n", " ").trim().split(/\s+/));
    return readdirSync(folder).map(file => [file, readFileSync(join(folder, file), "utf8")]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const valence = (...args: string[]): string =>
  execFileSync(process.execPath, ["mixins/cli/valence.mjs", ...args], { cwd: ROOT, encoding: "utf8" });

/** The manifests, with the Secrets that operators add. */
export function withSecrets(manifests: readonly Manifest[], store: Store, authority: Authority): Manifest[] {
  return [
    ...manifests,
    ...ofKind(manifests, "ExternalSecret").map(({ spec }) => secret(spec.target.name, externalData(spec, store))),
    ...ofKind(manifests, "Certificate").map(({ metadata, spec }) => {
      return secret(spec.secretName, tlsData(authority, metadata.name, spec.dnsNames ?? [spec.commonName]));
    }),
    // CloudNativePG's: the authority of its servers.
    ...ofKind(manifests, "Cluster").map(({ metadata }) =>
      secret(`${metadata.name}-ca`, { "ca.crt": readFileSync(authority.ca, "utf8") }),
    ),
  ];
}

function externalData({ data, target }: any, store: Store): Record<string, string> {
  const values: Record<string, string> = Object.fromEntries(
    data.map(({ secretKey, remoteRef }: any) => [secretKey, store.get(`${remoteRef.key}#${remoteRef.property}`)!]),
  );
  if (!target.template?.data) return values;
  return Object.fromEntries(
    Object.entries<string>(target.template.data).map(([key, text]) => [
      key,
      text.replaceAll(/\{\{\s*\.(\w+)\s*\}\}/g, (_, name: string) => {
        if (values[name] === undefined) throw new Error(`the template of ${key} names ${name}, which is not there`);
        return values[name];
      }),
    ]),
  );
}

export function tlsData(authority: Authority, name: string, names: readonly string[]): Record<string, string> {
  const { cert, key } = authority.sign(name, "ca", 1, names.map(one => `DNS:${one}`).join(","));
  const files = { "tls.crt": cert, "tls.key": key, "ca.crt": authority.ca };
  return Object.fromEntries(Object.entries(files).map(([file, path]) => [file, readFileSync(path, "utf8")]));
}

const secret = (name: string, data: Readonly<Record<string, string>>): Manifest => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name },
  data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString("base64")])),
});
