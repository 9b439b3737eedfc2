// The page of durable events: owner by owner between two marks; people write the text around it.
import { channelKeyOf, type CataloguedEvent, type EventChannel } from "../contract/index.ts";
import { fieldsOf } from "./event-fields.ts";
import { markdownTable, withGenerated } from "./marked.ts";

/** The page with its catalogue written anew. Pure. */
export const eventPage = (page: string, channels: readonly EventChannel[]): string =>
  withGenerated(page, "Events", channels.map(channelPart).join("\n\n"));

function channelPart(channel: EventChannel): string {
  const { isPublic, topic, events } = channel;
  const rows = events.map(({ type, version, consumers }) => [`\`${type}\``, `${version}`, consumers.join(", ")]);
  const table = markdownTable(["event", "version", "taken by"], rows);
  const ways = [...(topic === undefined ? [] : [`Topic \`${topic}\`.`]), ...(isPublic ? [WEBHOOKS] : [])];
  return [`## ${channelKeyOf(channel)}`, ways.join(" "), table, ...events.map(eventPart)].join("\n\n");
}

const WEBHOOKS = "Public events, for [webhooks](webhooks.md).";

function eventPart({ type, versions }: CataloguedEvent): string {
  const { schema, example, cloudType } = versions.at(-1)!;
  const fields = fieldsOf(schema).map(({ path, type, isOptional }) => [
    `\`${path}\``,
    type,
    isOptional ? "optional" : "",
  ]);
  const table = fields.length === 0 ? "It has no fields." : markdownTable(["field", "type", ""], fields);
  const text = JSON.stringify(example, undefined, 2);
  return [`### ${type}`, `\`ce_type: ${cloudType}\``, table, `\`\`\`json\n${text}\n\`\`\``].join("\n\n");
}
