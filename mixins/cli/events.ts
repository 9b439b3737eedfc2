// `valence events`: the durable events of the project's services, and the check of their released shapes.
import { existsSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { definitionsIn } from "../actor/index.ts";
import {
  asyncApi,
  brokenPromises,
  RELEASED_FILE,
  releasedIn,
  releasedWith,
  tellBroken,
  unreleased,
  type AnyContract,
  type CataloguedEvent,
  type EventChannel,
} from "../contract/index.ts";
import { nearestName } from "../kernel/index.ts";
import { tableOf } from "../operations/shell/show.ts";
import { terminalOn } from "../operations/shell/terminal.ts";
import { jsonText } from "../testing/json-text.ts";
import { withPublicEvents } from "../stream/index.ts";
import { UsageError, type Command } from "./command.ts";
import { channelsIn, inboundIn } from "./event-channels.ts";
import { fieldsOf } from "./event-fields.ts";
import { readProject, type Project } from "./project.ts";

const HELP = `Lists the durable events of this project's services: which service owns one, which ones take it, and where it can be read
from outside.

  npx valence events               every event
  npx valence events <type>        one: its fields, its versions, an example
  npx valence events --json        all as AsyncAPI 3; with <type>, the one alone. A gateway answers the same as /asyncapi.json
  npx valence events --check       compares each event with its released shape, services/<service>/${RELEASED_FILE}
  npx valence events --release     writes today's shapes there: before a release, to be committed

A recorded event has its shape for ever, and readers outside were built for it. --check exits with 1 where an event has
changed without a new version, and names event, field and direction:

  backward   what was recorded need not fit today's shape
  forward    what is recorded from now on need not fit the readers that there are

A new optional field needs no new version: readers pass over fields that they do not know.`;

export const command: Command = { help: HELP, run: main };

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      check: { type: "boolean", default: false },
      release: { type: "boolean", default: false },
    },
  });
  const [type, ...more] = positionals;
  if (more.length > 0) throw new UsageError("name one event, or none for all");
  if (values.check && values.release) throw new UsageError("--release checks too: name one of the two");
  const project = await readProject();
  if (values.check) return check(project);
  if (values.release) return release(project);
  const channels = await channelsIn(project.folder, project.services, project.environment);
  const shown = type === undefined ? channels : only(channels, type);
  if (values.json) {
    const inbound = type === undefined ? await inboundIn(project.folder, project.services) : [];
    return console.log(JSON.stringify(asyncApi(ABOUT, shown, inbound), undefined, 2));
  }
  if (type === undefined) list(shown);
  else tell(shown[0]!);
}

const ABOUT = { title: "Events", version: "1", description: "Durable events, as CloudEvents 1.0 in binary mode." };

/** The channel of one event, without the others. */
function only(channels: readonly EventChannel[], type: string): EventChannel[] {
  const found = channels.flatMap(channel => {
    const events = channel.events.filter(event => event.type === type);
    return events.length === 0 ? [] : [{ ...channel, events }];
  });
  if (found.length > 0) return found;
  const types = channels.flatMap(({ events }) => events.map(event => event.type));
  const near = nearestName(type, types);
  throw new UsageError(`there is no event "${type}"${near === undefined ? "" : `; did you mean ${near}?`}`);
}

function list(channels: readonly EventChannel[]): void {
  const terminal = terminalOn({ input: process.stdin, output: process.stdout, errors: process.stderr });
  const rows = channels.flatMap(({ owner, topic, events }) =>
    events.map(({ type, version, consumers }) => ({ event: type, version, owner, takenBy: consumers, topic })),
  );
  terminal.write(`${tableOf(rows, ["event", "version", "owner", "takenBy", "topic"], terminal)}\n`);
}

function tell({ owner, topic, subject, events }: EventChannel): void {
  const { type, version, versions, consumers } = events[0] as CataloguedEvent;
  const { schema, example, cloudType } = versions.at(-1)!;
  const older = versions.slice(0, -1).map(({ cloudType: name }) => name);
  console.log(`${type}, version ${version}

  owner      ${owner}
  taken by   ${consumers.join(", ") || "nobody"}
  Kafka      ${topic === undefined ? "no topic" : `topic ${topic}`}, ce_type ${cloudType}${older.length === 0 ? "" : `; before, ${older.join(", ")}`}
  ${subject === undefined ? "webhooks   yes" : `JetStream  ${subject}`}
`);
  for (const field of fieldsOf(schema))
    console.log(`  ${field.path.padEnd(32)} ${field.type}${field.isOptional ? " (optional)" : ""}`);
  console.log(`\n${JSON.stringify(example, undefined, 2)}`);
}

// ---- released shapes

interface Home {
  readonly folder: string;
  readonly contract: AnyContract;
}

/** The services that have events, public ones among theirs. */
async function ownersIn({ folder, services }: Project): Promise<Home[]> {
  const owners: Home[] = [];
  for (const service of services) {
    const home = resolve(folder, service);
    const { contract } = (existsSync(home) && (await definitionsIn(home))) || {};
    const released = contract && (await withPublicEvents(contract, home));
    if (released && Object.keys(released.events).length > 0) owners.push({ folder: home, contract: released });
  }
  return owners;
}

async function check(project: Project): Promise<void> {
  const owners = await ownersIn(project);
  const of = (told: (contract: AnyContract, folder: string) => readonly string[]): string[] =>
    owners.flatMap(({ contract, folder }) => told(contract, folder).map(text => `${contract.service}: ${text}`));
  const broken = of((contract, folder) => brokenPromises(contract, releasedIn(folder)).map(tellBroken));
  for (const text of of((contract, folder) => unreleased(contract, releasedIn(folder))))
    console.log(`${text} is not released: npx valence events --release writes it`);
  if (broken.length === 0) return console.log("every event keeps its released shape");
  for (const text of broken) console.error(text);
  console.error(`\n${REMEDY}`);
  process.exitCode = 1;
}

const REMEDY = `Give the event a new version in the contract (\`versions\`), and an upcaster that lifts the older one. A version that no
release has written yet may be changed: remove it from ${RELEASED_FILE}.`;

async function release(project: Project): Promise<void> {
  const owners = await ownersIn(project);
  const broken = owners.flatMap(({ contract, folder }) =>
    brokenPromises(contract, releasedIn(folder)).map(found => `${contract.service}: ${tellBroken(found)}`),
  );
  if (broken.length > 0) throw new UsageError(`${broken.join("\n")}\n\n${REMEDY}`);
  let count = 0;
  for (const { contract, folder } of owners) {
    const released = releasedIn(folder);
    const added = unreleased(contract, released);
    if (added.length === 0) continue;
    const file = join(folder, RELEASED_FILE);
    writeFileSync(file, jsonText(releasedWith(contract, released)));
    console.log(`${relative(process.cwd(), file)}: ${added.join(", ")}`);
    count += added.length;
  }
  console.log(count === 0 ? "every shape is released already" : `${count} released: commit them`);
}
