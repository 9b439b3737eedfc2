// Descriptions of ingresses in the registry, as services announce them, read with care: another node may announce anything.
import type { TSchema } from "typebox";
import { publicShape, type InboundChannel, type ListedService } from "../../contract/index.ts";
import type { Ingress } from "./define-ingress.ts";

export type Where = NonNullable<Ingress["from"]["jetstream"]>;

/** As a service announces one: the shape is for readers of `/asyncapi.json`, the places are for the rights of a role. */
export interface AnnouncedIngress {
  readonly kafka?: string;
  readonly jetstream?: Where;
  readonly schema: TSchema;
}
export const announced = ({ from, message }: Ingress): AnnouncedIngress => ({
  ...from,
  schema: publicShape(message as TSchema, { secrets: new Set() }),
});

type Described = Pick<ListedService, "fullName"> & { readonly metadata?: { readonly ingresses?: unknown } | undefined };

/** The ingresses of these services, each once, by service and name. */
export function inboundChannels(services: readonly Described[]): InboundChannel[] {
  const channels = new Map<string, InboundChannel>();
  for (const { fullName: service, metadata } of services)
    for (const [ingress, { kafka: topic, jetstream, schema }] of ingressesIn(metadata?.ingresses))
      channels.set(`${service}.${ingress}`, { service, ingress, topic, jetstream, schema });
  return [...channels].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, channel]) => channel);
}

/** The valid ones of a service's metadata. */
export function ingressesIn(ingresses: unknown): [string, AnnouncedIngress][] {
  if (!isObject(ingresses)) return [];
  return Object.entries(ingresses).filter(
    (entry): entry is [string, AnnouncedIngress] => NAME.test(entry[0]) && isAnnounced(entry[1]),
  );
}

const NAME = /^[a-z][a-z0-9-]*$/;
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;

function isAnnounced(ingress: unknown): boolean {
  if (!isObject(ingress) || !isObject(ingress["schema"])) return false;
  const { kafka, jetstream } = ingress;
  if (kafka === undefined && jetstream === undefined) return false;
  const isWhere =
    isObject(jetstream) && typeof jetstream["stream"] === "string" && typeof jetstream["subject"] === "string";
  return (kafka === undefined || typeof kafka === "string") && (jetstream === undefined || isWhere);
}
