// The image, as far as it can be checked without a builder: the Dockerfile, and whether the files that it copies run
// with the packages that it installs.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, statSync, symlinkSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { isInImage, read, wrongIn } from "./image.ts";
import { ROOT } from "./manifests.ts";

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

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "image-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("the files of the image run without others, and write nothing beside themselves", () => {
  const ignore = read(".dockerignore");
  const app = join(folder, "app");
  for (const file of execFileSync("git", ["ls-files", "-co", "--exclude-standard"], {
    cwd: ROOT,
    encoding: "utf8",
  }).split("\n"))
    if (file && isInImage(ignore, file)) cpSync(join(ROOT, file), join(app, file));
  // The packages that `npm ci --omit=dev` installs, by the lock file. They are linked from this folder, and find their
  // own dependencies below them.
  const { packages } = JSON.parse(read("package-lock.json")) as { packages: Record<string, { dev?: boolean }> };
  for (const [path, { dev }] of Object.entries(packages)) {
    if (!/^(mixins\/)?node_modules\/(@[^/]+\/)?[^/]+$/.test(path) || dev) continue;
    mkdirSync(dirname(join(app, path)), { recursive: true });
    symlinkSync(join(ROOT, path), join(app, path));
  }
  const before = written(app);
  const run = (command: string[], env: Record<string, string>) => {
    const all = { PATH: process.env["PATH"]!, NODE_ENV: "production", DATA_DIR: join(folder, "data"), ...env };
    const options = { cwd: app, env: all, encoding: "utf8", timeout: 100_000 } as const;
    const { error, status, stdout, stderr } = spawnSync(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", "mixins/cli/valence.mjs", ...command],
      options,
    );
    // A process that does not end gets a SIGTERM after the time-out, and then ends with code 0.
    if (error) throw error;
    return { status, stdout, stderr };
  };
  // The two commands that fill the compile cache: both end by themselves, with and without HEALTH_PORT.
  const cache = { NODE_COMPILE_CACHE: join(folder, "cache"), HEALTH_PORT: "0" };
  expect(run(["migrate"], cache)).toMatchObject({ status: 0, stderr: "" });
  const started = run(["start", "--once"], { ...cache, SERVICES: "ops" });
  expect(started).toMatchObject({ status: 0, stderr: "", stdout: expect.stringContaining("Service 'ops' started") });
  expect(globSync("**/*", { cwd: join(folder, "cache") }).length).toBeGreaterThan(100);
  expect(written(app)).toEqual(before);
}, 240_000);

/** Every file of ours in the folder, with the time of its last change. */
const written = (app: string): string[] =>
  globSync("**/*", { cwd: app, exclude: path => path === "node_modules" })
    .map(path => `${path} ${statSync(join(app, path)).mtimeMs}`)
    .sort();
