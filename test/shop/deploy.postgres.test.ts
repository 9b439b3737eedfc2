// The local overlay without a cluster: its Job, then one process for each Deployment, with the variables that the manifests
// give it, on servers of the tests.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@valence/runtime/testing";
import {
  Child,
  freePort,
  newDatabases,
  RedisServer,
  type Databases,
  type Nats,
} from "@valence/runtime/testing/servers";
import { orderOf, Shop } from "./support/shop.ts";
import { startLocalBus, TLS_FILES, urlOf } from "../deploy/local-bus.ts";
import { hasKubectl, render, type Manifest } from "../deploy/manifests.ts";
import { nodesOf, variablesOf } from "../deploy/workloads.ts";

// Only kubectl renders the manifests.
const describeRendered = hasKubectl() ? describe : describe.skip;

describeRendered("rendered by kubectl (skipped where there is none)", () => {
  let databases: Databases;
  let nats: Nats;
  let redis: RedisServer;
  let provider: Child;
  let migration: Child;
  let gateway: Shop;
  const nodes = new Map<string, Child>();
  const health = new Map<string, string>();
  /** The folder in which a process would put its files, if it had any. */
  let files: string;

  beforeAll(async () => {
    files = await mkdtemp(join(tmpdir(), "pods-"));
    [databases, nats, redis] = await Promise.all([newDatabases(), startLocalBus(), RedisServer.start()]);
    const port = await freePort();
    const ledger = join(databases.folder, "ledger.sqlite");
    provider = new Child(["services/payments/provider/server.ts", "--port", `${port}`, "--data", ledger], {});
    const servers: Record<string, string> = {
      DATABASE_URL: databases.env["DATABASE_URL"]!,
      REDIS_URL: redis.url,
      PAYMENT_PROVIDER_URL: `http://127.0.0.1:${port}`,
      ...TLS_FILES,
    };

    migration = new Child(["mixins/cli/valence.mjs", "migrate"], {
      ...servers,
      NATS_URL: urlOf(nats, "migrate"),
      JETSTREAM_DOMAIN: "EVENTS",
      NAMESPACE: "valence",
    });
    await until("the tables are there", () => !migration.running, 60_000);
    expect(migration.process.exitCode).toBe(0);

    const manifests = render("k8s/overlays/local");
    let ofGateway: Record<string, string> = {};
    for (const { workload, container } of nodesOf(manifests)) {
      const { name } = workload.manifest.metadata;
      // A server of mails that is away: mails wait.
      const ofPod = {
        SMTP_URL: "smtp://127.0.0.1:9",
        MAIL_FROM: "shop@example.com",
        NODEID: `${name}.0`,
        NAMESPACE: "valence",
        HEALTH_PORT: `${await freePort()}`,
        DATA_DIR: files,
      };
      const { NATS_URL = "", ...others } = given(container, manifests, servers);
      const env = { ...others, NATS_URL: urlOf(nats, new URL(NATS_URL).username), ...ofPod };
      health.set(name, `http://127.0.0.1:${ofPod.HEALTH_PORT}`);
      if (name === "gateway") ofGateway = env;
      else nodes.set(name, new Child(["mixins/cli/valence.mjs", "start"], env));
    }
    // The node is ready when it has found the others.
    gateway = await Shop.start(ofGateway);
  }, 120_000);
  afterAll(async () => {
    await gateway?.stop();
    await Promise.all([provider, migration, ...nodes.values()].map(child => child?.end("SIGKILL")));
    await Promise.all([nats?.stop(), redis?.stop()]);
    await databases?.remove();
    await rm(files, { recursive: true, force: true });
  });

  /**
   * Variables of the manifests, with the tests' servers in place of the cluster's and without those that only the pod
   * knows.
   */
  const given = (container: any, manifests: Manifest[], servers: Record<string, string>): Record<string, string> =>
    Object.fromEntries(
      variablesOf(container, manifests).flatMap(({ name, value }) =>
        value === undefined ? [] : [[name, servers[name] ?? value]],
      ),
    );

  test("every pod becomes ready, an order is shipped, no pod writes a file, and all stop in order", async () => {
    for (const [name, url] of health)
      await until(`${name} is ready`, async () => {
        const child = nodes.get(name) ?? gateway.child;
        if (!child.running) throw new Error(`${name} ended:\n${child.output}`);
        return (await fetch(`${url}/health/ready`).catch(() => undefined))?.status === 200;
      });

    let products: any[] = [];
    await until("the shop is filled", async () => {
      products = (await gateway.request("GET", "/api/v1/products?pageSize=1")).body.rows ?? [];
      return products.length > 0;
    });
    const token = await gateway.customer("ada");
    const headers = { "Idempotency-Key": "first" };
    const { sku } = products[0];
    await until("it is in stock", async () => {
      return ((await gateway.request("GET", `/api/v1/inventory/${sku}`)).body.available ?? 0) > 0;
    });
    const body = orderOf([{ productId: products[0].id, quantity: 1 }]);
    const order = await gateway.request("POST", "/api/v1/orders", { token, headers, body });
    expect(order.status).toBe(201);
    await until("it is shipped, and the read model knows", async () => {
      const { body } = await gateway.request("GET", "/api/v1/orders", { token });
      return body.rows?.[0]?.status === "shipped";
    });
    expect(await gateway.login("admin@example.com", "correct horse")).toEqual(expect.any(String));

    for (const child of [gateway.child, ...nodes.values()]) expect(await child.end("SIGTERM")).toBe(0);
    // The sockets for operators are gone with their processes.
    expect(await readdir(files)).toEqual([]);
  });
});
