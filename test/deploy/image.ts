// Checks the Dockerfile, and which files of this folder the image gets.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DockerfileParser, type JSONInstruction } from "dockerfile-ast";
import { validate } from "dockerfile-utils";

/** Findings of a linter, and of our own rules. */
export const wrongIn = (text: string): string[] => [
  ...validate(text).map(({ message, range }) => `line ${range.start.line + 1}: ${JSON.stringify(message)}`),
  ...RULES.flatMap(rule => rule(text)),
];

const RULES: ((text: string) => string[])[] = [
  // An image without a version changes between builds.
  text => {
    const dockerfile = DockerfileParser.parse(text);
    const stages = dockerfile.getFROMs().map(from => from.getBuildStage());
    const byArgument = (name: string): string | undefined =>
      dockerfile
        .getInitialARGs()
        .map(argument => argument.getProperty())
        .find(property => property?.getName() === name)
        ?.getValue() ?? undefined;
    return dockerfile
      .getFROMs()
      .map(from => from.getImage() ?? "")
      .filter(image => !stages.includes(image))
      .map(image => image.replace(/\$\{(\w+)\}/, (_, name: string) => byArgument(name) ?? ""))
      .filter(image => !/@sha256:[0-9a-f]{64}$|:(?!latest$)[\w.-]+$/.test(image))
      .map(image => `FROM ${image}, of no version`);
  },
  // Tools find by it what a container runs, and of which commit.
  text => {
    const labels = last(text, "LABEL")?.getArgumentsContent() ?? "";
    const wanted = ["title", "description", "licenses", "revision"].filter(
      name => !labels.includes(`org.opencontainers.image.${name}=`),
    );
    return wanted.map(name => `has no label ${name}`);
  },
  text => (last(text, "HEALTHCHECK") ? [] : ["has no check of health"]),
  // Kubernetes refuses a user's name, since it cannot tell whether the name means root.
  text => {
    const user = last(text, "USER")?.getArgumentsContent() ?? "root";
    return /^[1-9]\d*:[1-9]\d*$/.test(user) ? [] : [`runs as ${user}, not as a number`];
  },
  // A shell or npm would be process 1, and would not pass SIGTERM on.
  text =>
    ["CMD", "ENTRYPOINT"].flatMap(keyword => {
      const instruction = last(text, keyword) as JSONInstruction | undefined;
      if (!instruction) return [];
      const [program] = instruction.getJSONStrings().map(argument => argument.getJSONValue());
      return program === undefined || program === "npm" ? [`${keyword} is not the process itself`] : [];
    }),
  text =>
    /npm ci (?!.*--omit=dev.*--ignore-scripts)|npm i(nstall)?\b/.test(text)
      ? ["installs what it does not need, or runs what it does not know"]
      : [],
];

const last = (text: string, keyword: string) =>
  DockerfileParser.parse(text)
    .getInstructions()
    .filter(instruction => instruction.getKeyword() === keyword)
    .at(-1);

/** Whether the image gets a file: the last line of .dockerignore that matches it, or a folder above it, decides. */
export function isInImage(ignore: string, path: string): boolean {
  const above = path.split("/").map((_, i, parts) => parts.slice(0, i + 1).join("/"));
  let isIn = true;
  for (const line of ignore.split("\n").filter(Boolean)) {
    const pattern = patternOf(line.replace(/^!/, ""));
    if (above.some(folder => pattern.test(folder))) isIn = line.startsWith("!");
  }
  return isIn;
}

/** Docker's `*` takes dot files too, which Node's `matchesGlob` does not. */
const patternOf = (glob: string): RegExp =>
  new RegExp(`^${glob.replaceAll(".", "\\.").replaceAll(/\*\*\/|\*/g, star => (star === "*" ? "[^/]*" : "(.*/)?"))}$`);

export const read = (file: string): string => readFileSync(join(import.meta.dirname, "../..", file), "utf8");
