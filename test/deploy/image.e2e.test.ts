// The image, as far as it can be checked without an engine: the Dockerfile is linted, built by its own steps into a folder, and
// run there as a container runs it. `npm run test:image` also installs the packages as the Dockerfile says; otherwise they are
// linked.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { globSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@valence/runtime/testing";
import { freePort } from "@valence/runtime/testing/servers";
import { buildImage, cannotContain, Container, runInside, type Image } from "./build-image.ts";
import { isInImage, read, wrongIn } from "./image.ts";
import { orderOf } from "../shop/support/shop.ts";

const dockerfile = read("Dockerfile");

test("the Dockerfile is as it should be", () => expect(wrongIn(dockerfile)).toEqual([]));

test.each<[string, string | RegExp, string]>([
  ["an instruction that there is not", "WORKDIR", "WORKDIRECTORY"],
  ["a base of no version", "node:24-slim", "node"],
  ["the newest base", "node:24-slim", "node:latest"],
  ["no revision", "org.opencontainers.image.revision=", "revision="],
  ["no check of health", /^HEALTHCHECK[^]*?\nCMD/m, "CMD"],
  ["root", /^USER.*\n/m, ""],
  ["a user by name", "USER 1000:1000", "USER node"],
  ["a shell", /^CMD.*/m, "CMD node mixins/cli/valence.mjs start"],
  ["npm before our process", /^CMD.*/m, 'CMD ["npm", "start"]'],
  ["devDependencies", " --omit=dev", ""],
  ["install scripts", " --ignore-scripts", ""],
])("found in a Dockerfile: %s", (_what, from, to) => {
  expect(dockerfile).toMatch(from);
  expect(wrongIn(dockerfile.replace(from, to))).not.toEqual([]);
});

test("nothing goes into the image that is not named", () => {
  const ignore = read(".dockerignore");
  const isIn = (path: string): boolean => isInImage(ignore, path);
  const named = [
    "package.json",
    "tsconfig.json",
    "services/api/api.service.ts",
    "mixins/cli/valence.mjs",
    "web/build.ts",
    "client/index.ts",
  ];
  expect(named.filter(isIn)).toEqual(named);
  expect(
    [".env", "data/orders.sqlite", ".git/config", "node_modules/x", "services/orders/order.test.ts"].filter(isIn),
  ).toEqual([]);
});

/** Milliseconds after which Kubernetes kills a pod (k8s/base/node.yaml). */
const GRACE_MS = 40_000;

const reason = cannotContain();
// Without namespaces and users of its own nothing can be run as a container runs it.
const withContainers = reason === undefined ? describe : describe.skip;
if (reason !== undefined) console.warn(`the image is not built and run: ${reason}`);

withContainers("the image, built by the Dockerfile's own steps", () => {
  let folder: string;
  let image: Image;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "image-"));
    image = buildImage(folder, { npm: process.env["IMAGE"] === "build" });
  }, 600_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("has a compile cache, pages, and no tools or tests", () => {
    const has = (pattern: string): string[] =>
      globSync(pattern, { cwd: image.root, exclude: ["usr", "etc", "proc", "dev"] });
    expect(has("var/cache/valence/**/*").length).toBeGreaterThan(100);
    expect(has("app/web/dist/**/*.js").length).toBeGreaterThan(1);
    expect(has("app/{mixins,services}/**/*.test.ts")).toEqual([]);
    expect(has("app/node_modules/{jest,typescript,oxlint,esbuild,node}/package.json")).toEqual([]);
    expect(has("app/web/*.ts")).toEqual([]);
  });

  test("as process 1, without rights, on a root that it cannot write to, it takes an order and ends by SIGTERM", async () => {
    const [port, health] = [await freePort(), await freePort()];
    const env = {
      PORT: `${port}`,
      HEALTH_PORT: `${health}`,
      HOST: "127.0.0.1",
      ADMIN_EMAIL: "root@example.com",
      ADMIN_PASSWORD: "correct horse",
    };
    const inside = { writable: image.volumes, env };
    const cached = written(image);
    const container = new Container(image, inside);
    try {
      const url = `http://127.0.0.1:${port}`;
      await until("it is ready", async () => {
        if (!container.running) throw new Error(container.output);
        const answer = await fetch(`http://127.0.0.1:${health}/health/ready`).catch(() => undefined);
        return answer?.status === 200;
      });
      expect(container.status("NSpid")).toMatch(/\s1$/);
      expect(container.status("Uid")).toMatch(/^1000\s1000\s1000/);
      expect([container.status("CapEff"), container.status("CapBnd"), container.status("NoNewPrivs")]).toEqual([
        "0".repeat(16),
        "0".repeat(16),
        "1",
      ]);
      expect(runInside(image, image.healthcheck, inside)).toEqual({ status: 0, output: "" });
      const page = await fetch(url, { headers: { Accept: "text/html" } });
      expect([page.status, page.headers.get("content-type")]).toEqual([200, expect.stringContaining("text/html")]);
      expect(await orderAt(url)).toBe(201);
      expect(container.zombies()).toEqual([]);
      container.kill("SIGTERM");
      await until("it has ended", () => !container.running, GRACE_MS);
      expect([container.exitCode, container.output]).toEqual([0, expect.not.stringMatching(/EROFS|EACCES|EPERM/)]);
      expect(runInside(image, image.healthcheck, inside).status).toBe(1);
      expect(written(image)).toEqual(cached);
    } finally {
      container.kill("SIGKILL");
    }
  }, 120_000);

  test("ends by a SIGTERM where no broker takes it, which process 1 does not by itself", async () => {
    const migrate = [...image.command.slice(0, -1), "migrate"];
    const container = new Container(image, { writable: image.volumes, env: { DATA_DIR: "/tmp/data" } }, migrate);
    try {
      // Nothing shows when its first line has run.
      await until("it has ended", () => {
        container.kill("SIGTERM");
        return !container.running;
      });
      expect(container.exitCode).toBe(143);
    } finally {
      container.kill("SIGKILL");
    }
  }, 60_000);

  test("ends by a SIGTERM in the middle of its start, in order", async () => {
    const container = new Container(image, { writable: image.volumes, env: { PORT: "0", HEALTH_PORT: "0" } });
    try {
      await until("it starts", () => /Service '.*' started/.test(container.output));
      container.kill("SIGTERM");
      await until("it has ended", () => !container.running, GRACE_MS);
      expect(container.exitCode).toBe(0);
    } finally {
      container.kill("SIGKILL");
    }
  }, 120_000);
});

/** Places an order as a customer does. Answers the status. */
async function orderAt(url: string): Promise<number> {
  const ask = async (path: string, body?: object, headers = {}): Promise<{ status: number; body: any }> => {
    const init = body && { method: "POST", body: JSON.stringify(body) };
    const answer = await fetch(`${url}/api/v1/${path}`, {
      ...init,
      headers: { "Content-Type": "application/json", ...headers },
    });
    return { status: answer.status, body: await answer.json() };
  };
  const account = { email: "ada@example.org", password: "correct horse battery" };
  await ask("auth/register", { ...account, name: "ada" });
  const { accessToken } = (await ask("auth/login", account)).body;
  const [product] = (await ask("products?pageSize=1")).body.rows;
  const order = orderOf([{ productId: product.id, quantity: 1 }]);
  const headers = { Authorization: `Bearer ${accessToken}`, "Idempotency-Key": crypto.randomUUID() };
  return (await ask("orders", order, headers)).status;
}

/** Every file of ours in the image, and of the compile cache, with the time of its last change. */
const written = ({ root }: Image): string[] =>
  ["app/{*,{mixins,services,web}/**}", "var/cache/**"]
    .flatMap(pattern => globSync(pattern, { cwd: root, exclude: path => path.endsWith("node_modules") }))
    .map(path => `${path} ${statSync(join(root, path)).mtimeMs}`)
    .sort();
