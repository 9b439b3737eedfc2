// @slow: it takes minutes, and begins first. The shop as production's manifests run it, on this machine: each pod in a network of
// its own behind the NetworkPolicies, on NATS, Postgres and Redis as the manifests configure them. Customers order meanwhile. An
// With NETCLUSTER=on there is one pod of each kind, orders and the policies; NETCLUSTER=all (`npm run test:netcluster`) has two
// of each, and rolls out, scales, and empties a machine. An ordinary run skips it: it starts ten processes at once.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Laboratory, repeatedly, seeded } from "../../shop/chaos/laboratory.ts";
import { Shop } from "../../shop/support/shop.ts";
import { neededEdges } from "../edges.ts";
import { hasKubectl, render } from "../manifests.ts";
import { Cluster } from "./cluster.ts";
import { whyNoNetwork } from "./network.ts";
import { ADMIN } from "./secrets.ts";

const { NETCLUSTER } = process.env;
const isLong = NETCLUSTER === "all";
const reason =
  NETCLUSTER === undefined
    ? "npm run test:netcluster runs it"
    : hasKubectl()
      ? await whyNoNetwork()
      : "there is no kubectl";
if (NETCLUSTER !== undefined && reason !== undefined) console.warn(`skipped, the cluster without a cluster: ${reason}`);
// Skipped in an ordinary run, and where there are no network namespaces, or no kubectl to render the manifests.
const testHere = reason === undefined ? test : test.skip;
// Takes minutes: an ordinary run counts it as skipped.
const testLong = reason === undefined && isLong ? test : test.skip;

const REPLICAS = isLong ? 2 : 1;
const CALLERS = 4;
/** Milliseconds between the orders of a caller: two cores run the whole cluster. */
const PAUSE_MS = 100;
const MINUTE_MS = 60_000;
const DEPLOYMENTS = ["core", "gateway", "projections", "sagas"].map(name => `Deployment ${name}`);

const chance = seeded();
let cluster: Cluster;
let lab: Laboratory;

beforeAll(async () => {
  if (reason !== undefined) return;
  cluster = await Cluster.start(render("k8s/overlays/production"));
  await cluster.complete("Job migrate");
  await Promise.all(DEPLOYMENTS.map(id => cluster.scale(id, REPLICAS)));
  const url = await cluster.door("istio-ingress", { host: cluster.serviceAddress("gateway"), port: 80 });
  const provider = await cluster.door("internet", { host: "127.0.0.1", port: 4010 });
  const env = { DATABASE_URL: cluster.databaseUrl, PAYMENT_PROVIDER_URL: provider, NAMESPACE: "valence" };
  // The next request is another connection, which goes to the next pod.
  const shop = Shop.at(url, env, { Connection: "close", "X-Forwarded-For": "198.51.100.7" });
  await addProducts(shop);
  lab = await Laboratory.at(shop, { url: provider }, chance, ADMIN);
}, 30 * MINUTE_MS);
afterAll(() => cluster?.close(), MINUTE_MS);

/** Production starts with an empty catalog. */
async function addProducts(shop: Shop): Promise<void> {
  const token = await shop.login(ADMIN.email, ADMIN.password);
  for (let n = 1; n <= 6; n++) {
    const body = {
      sku: `MUG-00${n}`,
      name: `Mug ${n}`,
      description: "Stoneware.",
      price: { amount: 1_000 + n, currency: "EUR" },
      category: "mugs",
    };
    expect(await shop.request("POST", "/api/v1/products", { token, body })).toMatchObject({ status: 201 });
  }
}

/** Runs this while customers order; orders go on before, meanwhile and afterwards. Answers how often they were put off. */
async function underLoad(work: () => Promise<void>): Promise<Record<string, number>> {
  lab.putOff.clear();
  const stop = repeatedly(CALLERS, () => lab.order({ mayBeCut: false }), PAUSE_MS);
  try {
    await lab.moreOrders(5);
    await work();
    await lab.moreOrders(5);
  } finally {
    await stop();
  }
  return Object.fromEntries(lab.putOff);
}

testHere(
  "orders are placed, and nobody tries a connection that no policy allows",
  async () => {
    await underLoad(() => lab.moreOrders(10));
    await lab.comesToRest();
    expect(await cluster.edges("refused")).toEqual([]);
  },
  5 * MINUTE_MS,
);

testHere(
  "a connection that the architecture needs opens, and every other one is refused",
  async () => {
    const { pods: places, ...wrong } = await wrongConnections();
    expect(wrong).toEqual({ refused: [], open: [] });
    expect(places).toBeGreaterThan(10);
  },
  5 * MINUTE_MS,
);

/** Each pod of the namespace has a proxy of the mesh, also one that nothing else knows. */
const OF_EVERY_PROXY = ["kube-dns:53", "istio-system:15012"];

/** Tries each port of each pod from each other pod. */
async function wrongConnections(): Promise<{ refused: string[]; open: string[]; pods: number }> {
  const needed = new Set(neededEdges(cluster.manifests));
  const ends = [...cluster.ends];
  const found: { refused: string[]; open: string[]; pods: number } = { refused: [], open: [], pods: ends.length };
  const ports = new Set([...needed].flatMap(edge => (edge.endsWith("/UDP") ? [] : [Number(edge.split(":").at(-1))])));
  // Doors that nothing needs: the monitoring of NATS, plain HTTP, mail between servers, a shell.
  for (const port of [8222, 80, 25, 22]) ports.add(port);
  const isOurs = ({ namespace }: { namespace: string }): boolean => namespace === "valence";
  for (const [from, source] of ends) {
    const targets = ends
      .filter(([, target]) => target !== source && (isOurs(source) || isOurs(target)))
      .flatMap(([to, { address }]) => [...ports].map(port => ({ to, host: address, port })));
    const results = await cluster.connect(source, targets);
    results.forEach((result, i) => {
      const { to, port } = targets[i]!;
      const edge = `${from} → ${to}:${port}`;
      // It may leave for anywhere: whether it is let in here is no edge of its own.
      if (!needed.has(edge) && needed.has(`${from} → anywhere:${port}`)) return;
      const isNeeded = needed.has(edge) || OF_EVERY_PROXY.includes(`${to}:${port}`);
      // A pod that is allowed in and listens to nothing there says so itself. The kernel sends so many ICMP messages a second:
      // the others that are refused hear nothing.
      const isRefused = result === "EHOSTUNREACH" || result === "ETIMEDOUT";
      if (isNeeded ? isRefused || (needed.has(edge) && result !== "open") : !isRefused)
        found[isNeeded ? "refused" : "open"].push(`${edge}: ${result}`);
    });
  }
  return found;
}

testLong(
  "a release rolls out under load: no order waits or fails",
  async () => {
    expect(await underLoad(async () => void (await Promise.all(DEPLOYMENTS.map(id => cluster.rollOut(id)))))).toEqual(
      {},
    );
  },
  15 * MINUTE_MS,
);

testLong.each(["sagas", "core"])(
  "%s scales from one to three and back under load",
  async name => {
    const id = `Deployment ${name}`;
    const putOff = await underLoad(async () => {
      for (const pods of [1, 3, 1, 2]) {
        await cluster.scale(id, pods);
        await lab.moreOrders(5);
      }
    });
    expect(putOff).toEqual({});
  },
  15 * MINUTE_MS,
);

testLong(
  "a machine is emptied under load, within the budgets",
  async () => {
    const putOff = await underLoad(async () => {
      await cluster.drain("node-b");
      expect(cluster.pods.filter(({ node }) => node === "node-b")).toEqual([]);
      await lab.moreOrders(10);
      await cluster.uncordon("node-b");
    });
    console.log(`put off while a machine was emptied: ${JSON.stringify(putOff)}`);
  },
  15 * MINUTE_MS,
);

testHere(
  "everything is there once: each order has ended, nothing is parked, and no process was killed or started twice",
  async () => {
    await lab.comesToRest();
    await expectNothingParked();
    expect(
      cluster.history.flatMap(({ name, restarts }) => restarts.map(why => `${name} was started again: ${why}`)),
    ).toEqual([]);
    expect(await cluster.stopOurs()).toEqual([]);
    await lab.checkRecords();
  },
  10 * MINUTE_MS,
);

/** What operators would have to look after, by the routes that only the inner network has. */
async function expectNothingParked(): Promise<void> {
  const [gateway] = cluster.podsOf("Deployment gateway");
  const url = await cluster.door("monitoring", { host: gateway!.address, port: 8081 });
  const operations = Shop.at(url, {}, {});
  const token = await lab.shop.login(ADMIN.email, ADMIN.password);
  for (const path of ["dead-letters", "quarantine", "sagas?state=stuck"]) {
    const { status, body } = await operations.request("GET", `/api/v1/ops/${path}`, { token });
    expect({ path, status, body }).toMatchObject({ path, status: 200 });
    expect({
      path,
      lists: Object.values(body as object)
        .filter(Array.isArray)
        .flat(),
    }).toEqual({ path, lists: [] });
  }
}
