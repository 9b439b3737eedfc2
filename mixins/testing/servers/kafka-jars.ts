// The jars of Apache Kafka: Maven fetches those that kafka/pom.xml names, once, into the user's cache.
import { spawnSync } from "node:child_process";
import { hash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const POM = join(import.meta.dirname, "../kafka/pom.xml");
/** Kafka's servers run on this Java and newer ones. */
const JAVA_MIN = 17;
/** Milliseconds within which Maven must have fetched 45 MB. */
const FETCH_MS = 600_000;

/** Why there can be no Kafka here, with the remedy; undefined where there can be one. */
export function kafkaMissing(): string | undefined {
  const { error, stderr } = spawnSync("java", ["-version"], { encoding: "utf8" });
  if (error) return "Java is not installed (Debian: apt-get install default-jre-headless)";
  const [, version = ""] = /version "(\d+)/.exec(stderr) ?? [];
  if (Number(version) < JAVA_MIN) return `Java ${version} is here, and Kafka needs ${JAVA_MIN} or newer`;
  if (existsSync(pathOfKafka()) || !spawnSync("mvn", ["-version"]).error) return undefined;
  return "Maven is not installed, which fetches Kafka (Debian: apt-get install maven)";
}

/** Fetches Kafka unless it is in the user's cache. Throws with Maven's words where it cannot. */
export function fetchKafka(): void {
  const path = pathOfKafka();
  if (existsSync(path)) return;
  mkdirSync(join(path, ".."), { recursive: true });
  // The first of several moves a whole folder to its place; a fetch that is ended leaves nothing that looks like one.
  const unfinished = `${path}.${process.pid}`;
  try {
    maven("dependency:copy-dependencies", "-DincludeScope=runtime", `-DoutputDirectory=${unfinished}`);
    renameSync(unfinished, path);
  } catch (error) {
    if (!existsSync(path)) throw error;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

function maven(...args: string[]): void {
  const all = ["--file", POM, "--batch-mode", "--quiet", ...args];
  const { status, stdout, stderr, error } = spawnSync("mvn", all, { encoding: "utf8", timeout: FETCH_MS });
  if (error) throw new Error(`mvn cannot be run: ${error.message}`);
  if (status !== 0) throw new Error(`Maven could not fetch Kafka:\n${`${stdout}${stderr}`.slice(-2_000)}`);
}

/** Arguments of Java before the class of one of Kafka's programs. */
export const programOfKafka = (options: readonly string[]): string[] => [
  ...options,
  "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
  "-cp",
  join(pathOfKafka(), "*"),
];

/** Another pom has another folder. */
function pathOfKafka(): string {
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return join(cache, "valence", `kafka-${hash("sha256", readFileSync(POM, "utf8")).slice(0, 12)}`);
}
