// Makes the public event of an inner one, as a CloudEvent. Its id follows from the inner event, so that it is the same however
// often the mapping runs: receivers drop a twin by it. Nothing else of the inner event leaves, neither who caused it nor
// its node or command.
import { compileSchema, strictObject, type Call, type Check, type Recorded } from "../../contract/index.ts";
import { idFrom } from "../../kernel/index.ts";
import { cloudType, type CloudEvent } from "../cloud-events.ts";
import { streamErrors } from "../errors.ts";
import type { Outbound } from "./define-outbound.ts";
import { limits } from "./limits.ts";

export interface PublicEvent extends CloudEvent {
  readonly id: string;
  /** Name of the event, without its version. */
  readonly event: string;
  /** Actor type and id of the inner event's actor: the place in a topic follows from them. */
  readonly actor: string;
  readonly stream: string;
  /** RFC 3339. */
  readonly at: string;
  readonly data: string;
}

/** Makes public events by a definition; undefined where it gives none. Throws Bug `OUTBOUND_MISFIT`, `OUTBOUND_TOO_LARGE`. */
export function publicEvents(outbound: Outbound, tools: { readonly source: string; readonly call: Call }) {
  const check = compileSchema(strictObject(outbound.schema), outbound.event);
  const map = outbound.on as Record<string, (event: Recorded, tools: { call: Call }) => unknown>;
  return async (event: Recorded): Promise<PublicEvent | undefined> => {
    const made = await map[event.type]!(event, { call: tools.call });
    if (made === undefined) return undefined;
    const data = fitting(made, check, outbound, event);
    const id = idFrom("outbound", outbound.event, event.eventId);
    const subject = `${event.actor}.${event.stream}`;
    return {
      id,
      event: outbound.event,
      actor: event.actor,
      stream: event.stream,
      at: event.at,
      attributes: {
        specversion: "1.0",
        id,
        source: tools.source,
        type: cloudType(outbound.event, outbound.version),
        subject,
        partitionkey: subject,
        time: event.at,
        datacontenttype: "application/json",
      },
      data,
    };
  };
}

/** The data as JSON text. The check looks at what is sent: a Date, or a field that is undefined, is another thing there. */
function fitting(made: unknown, check: Check, { event: type }: Outbound, { eventId }: Recorded): string {
  const json = JSON.stringify(made) as string | undefined;
  const found = check(json === undefined ? undefined : JSON.parse(json));
  if (json === undefined || found !== true) {
    const issues = found === true ? [] : found;
    const problem = issues.map(({ field, message }) => `${field || "it"} ${message}`).join(", ");
    throw streamErrors.OUTBOUND_MISFIT({ event: eventId, type, problem });
  }
  const bytes = Buffer.byteLength(json);
  if (bytes > limits.dataBytes) throw streamErrors.OUTBOUND_TOO_LARGE({ event: eventId, type, bytes });
  return json;
}

/** The event as one JSON object (CloudEvents, structured mode): the body of a webhook. */
export const structured = ({ attributes, data }: PublicEvent): string =>
  `${JSON.stringify(attributes).slice(0, -1)},"data":${data}}`;
