// The events that there are, by owner: collected from what services say of themselves, so that a gateway tells of services
// that run elsewhere. Older versions and samples lie beside the services; a node that has no such folder leaves them out.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TSchema } from "typebox";
import { PersonalFields } from "../kernel/index.ts";
import {
  publicData,
  publicShape,
  releasedIn,
  sampleOf,
  type CataloguedEvent,
  type EventChannel,
  type EventVersion,
  type KeptFields,
  type ListedService,
  type ReleasedEvents,
} from "../contract/index.ts";
import { Channel } from "./carriers/jetstream/channel.ts";
import { topicOf } from "./carriers/kafka/topic.ts";
import { cloudType, sourceOf } from "./cloud-events.ts";
import { ALL_TYPES } from "./log/registry.ts";

interface Place {
  /** `NAMESPACE` of the nodes. */
  readonly namespace: string;
  /** Folder of the services. */
  readonly folder: string;
  /** `KAFKA_PARTITIONS`. */
  readonly partitions: number;
}
type Described = Pick<ListedService, "name" | "fullName" | "metadata">;

/** The events of these services, owners and types by name; then public events, by service and topic. */
export function eventCatalogue(services: readonly Described[], place: Place): EventChannel[] {
  return [...ownChannels(services, place), ...publicChannels(services, place)];
}

function ownChannels(services: readonly Described[], { namespace, folder, partitions }: Place): EventChannel[] {
  return ownersAmong(services).map(owner => {
    const { fullName: service } = owner;
    const kept = keptOf(owner, folder);
    return {
      owner: service,
      source: sourceOf({ namespace, service }),
      topic: topicOf(namespace, service),
      partitions,
      subject: new Channel(namespace, service).subjects,
      events: Object.entries(versionsIn(owner))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .flatMap(([type, version]) => eventOf(owner, type, version, kept, services) ?? []),
    };
  });
}

/** The parts of a service's description that its folder keeps. */
function keptOf({ name, metadata }: Described, folder: string): Kept {
  const home = SERVICE_NAME.test(name) ? join(folder, name) : undefined;
  const secrets = metadata?.secrets;
  const personal = new PersonalFields();
  personal.add(metadata?.personal ?? []);
  return {
    home,
    released: home === undefined ? {} : releasedIn(home),
    secrets: new Set(Array.isArray(secrets) ? (secrets as string[]) : []),
    personal,
  };
}

/** Public events that go to one topic, or to webhooks alone, are a channel. */
function publicChannels(services: readonly Described[], { namespace, folder, partitions }: Place): EventChannel[] {
  const senders = new Map(services.map(service => [service.fullName, service]));
  return [...senders.values()]
    .sort((a, b) => (a.fullName < b.fullName ? -1 : 1))
    .flatMap(sender => {
      const { fullName: owner } = sender;
      const kept = keptOf(sender, folder);
      const byTopic = Map.groupBy(publicEventsIn(sender), ([, { topic = "" }]) => topic);
      return [...byTopic].sort(byName).map(([topic, events]) => ({
        owner,
        isPublic: true,
        source: sourceOf({ namespace, service: owner }),
        ...(topic !== "" && { topic: topicOf(namespace, topic) }),
        partitions,
        events: events.sort(byName).map(([type, { version, schema }]) => versionsOf(type, version, schema, kept, [])),
      }));
    });
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);

interface Announced {
  readonly version: number;
  readonly schema: TSchema;
  readonly topic?: string;
}

function publicEventsIn({ metadata }: Described): [string, Announced][] {
  const { publicEvents } = metadata ?? {};
  if (typeof publicEvents !== "object" || publicEvents === null) return [];
  return Object.entries(publicEvents as Record<string, Partial<Announced>>).filter(
    (entry): entry is [string, Announced] =>
      EVENT_TYPE.test(entry[0]) &&
      Number.isSafeInteger(entry[1]?.version) &&
      typeof entry[1].schema === "object" &&
      (entry[1].topic === undefined || EVENT_TYPE.test(entry[1].topic)),
  );
}

/** Another node may announce anything: what it says leads to no file outside of the folder. */
const SERVICE_NAME = /^[\w-]+$/;
const EVENT_TYPE = /^[\w-][\w.-]*$/;

/** One entry for each service: of two releases, the one that writes the newer versions. */
function ownersAmong(services: readonly Described[]): Described[] {
  const owners = new Map<string, Described>();
  for (const service of services) {
    const known = owners.get(service.fullName);
    if (Object.keys(versionsIn(service)).length > 0 && (!known || newness(service) > newness(known)))
      owners.set(service.fullName, service);
  }
  return [...owners.values()].sort((a, b) => (a.fullName < b.fullName ? -1 : 1));
}

const newness = (service: Described): number => Object.values(versionsIn(service)).reduce((sum, n) => sum + n, 0);

function versionsIn({ metadata }: Described): Record<string, number> {
  const events: unknown = metadata?.events;
  if (typeof events !== "object" || events === null) return {};
  return Object.fromEntries(
    Object.entries(events).filter(([type, version]) => EVENT_TYPE.test(type) && Number.isSafeInteger(version)),
  );
}

interface Kept extends KeptFields {
  readonly home: string | undefined;
  readonly released: ReleasedEvents;
}

/** Undefined for an owner of an older release, which does not tell the shapes of its events. */
function eventOf(
  { metadata }: Described,
  type: string,
  version: number,
  kept: Kept,
  services: readonly Described[],
): CataloguedEvent | undefined {
  const today = metadata?.eventSchemas?.[type];
  if (typeof today !== "object" || today === null) return undefined;
  const consumers = services.filter(service => takes(service, type)).map(({ fullName }) => fullName);
  return versionsOf(type, version, today, kept, consumers);
}

function versionsOf(
  type: string,
  version: number,
  today: TSchema,
  kept: Kept,
  consumers: readonly string[],
): CataloguedEvent {
  const older = Object.entries(kept.released[type] ?? {})
    .map(([number, schema]) => ({ number: Number(number), schema }))
    .filter(({ number }) => number < version)
    .sort((a, b) => a.number - b.number);
  const versions = [...older, { number: version, schema: today }];
  return {
    type,
    version,
    versions: versions.map(({ number, schema }) => versionOf(type, number, schema, kept)),
    consumers: [...new Set(consumers)].sort(),
  };
}

const takes = ({ metadata }: Described, type: string): boolean => {
  const { takes: types } = metadata ?? {};
  return typeof types === "object" && types !== null && (type in types || ALL_TYPES in types);
};

function versionOf(type: string, version: number, schema: TSchema, kept: Kept): EventVersion {
  const { home } = kept;
  const file = home && join(home, "events", `${type}.v${version}.json`);
  const data: unknown = file && existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : sampleOf(schema, "full");
  return {
    version,
    cloudType: cloudType(type, version),
    schema: publicShape(schema, kept),
    example: publicData(data, kept),
  };
}
