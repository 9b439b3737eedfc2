// compose.yaml, as far as it can be checked without Docker.
import { expect, test } from "@jest/globals";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { declaredVariables, readEnvironment } from "@valence/runtime/kernel";
import { declaredIn } from "../../mixins/cli/declared.ts";
import { configurationOf } from "../../mixins/operations/doctor/configuration.ts";
import { serviceNames } from "../../mixins/operations/services.ts";
import { ROOT } from "./manifests.ts";

interface Container {
  readonly build?: string;
  readonly image?: string;
  readonly command?: string;
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly profiles?: readonly string[];
  readonly extra_hosts?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { condition: string }>>;
  readonly healthcheck?: Readonly<Record<string, string | number>>;
}
interface Compose {
  readonly services: Readonly<Record<string, Container>>;
  readonly volumes: Readonly<Record<string, null>>;
}

// Keys of the Compose specification that we use: any other is a slip until it is named here.
const KEYS = "build image command environment ports volumes profiles extra_hosts depends_on healthcheck".split(" ");
const HEALTH_KEYS = "test interval timeout retries".split(" ");

const text = readFileSync(join(ROOT, "compose.yaml"), "utf8");
const { services, volumes, ...others } = parse(text, { merge: true, uniqueKeys: true }) as Compose;
const containers = Object.entries(services);
const nodes = containers.filter(([, { build }]) => build !== undefined);
const declared = await declaredIn("services", serviceNames("services"));

test.each(containers)("%s has the fields of a container, in their forms", (_name, container) => {
  expect(KEYS).toEqual(expect.arrayContaining(Object.keys(container)));
  expect([container.build, container.image].filter(Boolean)).toHaveLength(1);
  if (container.image !== undefined) expect(container.image).toMatch(/^[\w/.-]+:v?\d[\w.-]*$/);
  // Passwords are public: nobody else on the network may connect.
  for (const port of container.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  const { healthcheck } = container;
  if (healthcheck === undefined) return;
  expect(Object.keys(healthcheck).toSorted()).toEqual(HEALTH_KEYS.toSorted());
  for (const duration of [healthcheck["interval"], healthcheck["timeout"]]) expect(duration).toMatch(/^\d+(ms|s|m)$/);
  expect(healthcheck["retries"]).toEqual(expect.any(Number));
});

/** What runs with a profile: containers without one always do. */
const runningWith = (profile?: string): string[] =>
  containers.filter(([, { profiles }]) => !profiles || (profile && profiles.includes(profile))).map(([name]) => name);
const PROFILES = [...new Set(containers.flatMap(([, { profiles = [] }]) => profiles))];

test.each(PROFILES)("whatever a container of profile %s waits for runs with it", profile => {
  const running = runningWith(profile);
  for (const name of running)
    expect(running).toEqual(expect.arrayContaining(Object.keys(services[name]!.depends_on ?? {})));
});

test("the header names every profile, and each server that it names by a port of this machine opens it", () => {
  const header = text.slice(0, text.search(/^[^#]/m));
  const named = [...header.matchAll(/--profile\s+(?:#\s+)?([\w-]+)/g)].map(([, profile]) => profile!);
  expect([...new Set(named)].toSorted()).toEqual(PROFILES.toSorted());
  const opened = containers.flatMap(([, { ports = [] }]) => ports.map(port => port.split(":")[1]));
  for (const [, port] of header.matchAll(/(?:localhost|127\.0\.0\.1|on )?:(\d{4,5})\b/g))
    expect(["4318", ...opened]).toContain(port);
  // Inside, by the name of the container, which has to run in the same profile.
  for (const [, host] of header.matchAll(/\/\/(collector|mailpit):/g)) expect(runningWith("full")).toContain(host);
  expect(runningWith()).toEqual(["postgres", "redis", "nats"]);
});

test("no two containers open the same port of the machine", () => {
  const opened = containers.flatMap(([, { ports = [] }]) => ports.map(port => port.split(":")[1]));
  expect(opened).toEqual([...new Set(opened)]);
});

test("what a container names is there: files, volumes, and containers that it waits for", () => {
  expect(Object.keys(others).filter(key => !key.startsWith("x-"))).toEqual([]);
  for (const [, { volumes: mounts = [], depends_on = {} }] of containers) {
    for (const mount of mounts) {
      const [from = ""] = mount.split(":");
      expect([mount, from.startsWith("./") ? existsSync(join(ROOT, from)) : from in volumes]).toEqual([mount, true]);
    }
    for (const [name, { condition }] of Object.entries(depends_on)) {
      expect(condition).toBe("service_healthy");
      expect(services[name]?.healthcheck).toBeDefined();
    }
  }
});

test.each(nodes)("%s sets variables that the runtime reads, to values with which it starts", (_name, container) => {
  const { environment = {}, volumes: mounts = [] } = container;
  const [from = "", to = ""] = mounts[0]!.split(":");
  const env = Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      withDefaults(`${value}`).replace(`${to}/`, `${join(ROOT, from)}/`),
    ]),
  );
  expect([...declaredVariables(declared).keys()]).toEqual(expect.arrayContaining(Object.keys(env)));
  expect(() => readEnvironment(env, declared)).not.toThrow();
});

/** The text as Compose reads it where none of the variables that it names is set. */
const withDefaults = (text: string): string => text.replaceAll(/\$\{\w+:-([^}]*)\}/g, "$1");

test("every service runs in one container", () => {
  const running = nodes.flatMap(([, { environment }]) => environment!["SERVICES"] ?? []);
  expect(running.join().split(",").toSorted()).toEqual(serviceNames("services").toSorted());
});

test("the bus has the generated users, and each node logs in as the one of its role", () => {
  const { command, environment = {}, volumes: mounts = [] } = services["bus"]!;
  expect(command).toContain("--config /etc/nats/nats.conf");
  const fileOf = (path: string): string => {
    const mount = mounts.find(one => one.split(":")[1] === path);
    return readFileSync(join(ROOT, mount!.split(":")[0]!), "utf8");
  };
  expect(fileOf("/etc/nats/nats.conf")).toMatch(/^include nats-users\.conf$/m);
  const users = [...fileOf("/etc/nats/nats-users.conf").matchAll(/user: ([\w-]+), password: \$(\w+)/g)];
  expect(users.map(([, user]) => user!).toSorted()).toEqual(nodes.map(([name]) => name).toSorted());
  for (const [, user, variable] of users) {
    const own = services[user!]!.environment!;
    expect(own["NATS_URL"]).toBe(`tls://${user}:${environment[variable!]}@bus:4222`);
    // It makes tables and streams, and is no node.
    if (user === "migrate") continue;
    expect(`${own["NODEID"]}`.split(".")[0]).toBe(user);
    expect(own["NODE_KEY"]).toBe(`/cluster/${user}.key.json`);
  }
});

test("the doctor knows every password that is published here", () => {
  const values = containers.flatMap(([, { environment = {} }]) => Object.entries(environment));
  const secrets = values.filter(([name]) => /(PASSWORD|SECRET|TOKEN)$/.test(name)).map(([, value]) => String(value));
  expect(secrets).toContain("valence-metrics-token");
  for (const ADMIN_PASSWORD of new Set(secrets)) {
    const environment = readEnvironment({ ADMIN_PASSWORD });
    const found = configurationOf({ environment, isProduction: true }).find(({ check }) => check === "passwords");
    expect([ADMIN_PASSWORD, found?.status]).toEqual([ADMIN_PASSWORD, "FAIL"]);
  }
});
