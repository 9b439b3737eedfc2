// What a message says: its CloudEvents attributes, its identity, and data that fits the schema. Pure.
import type { TSchema } from "typebox";
import { compileSchema, type Check } from "../../contract/index.ts";
import { idFrom } from "../../kernel/index.ts";
import { fromHttp, fromKafka } from "../cloud-events.ts";
import { streamErrors } from "../errors.ts";
import type { Ingress, Message } from "./define-ingress.ts";
import { LEVELS_MAX, type KeptMessage } from "./kept-message.ts";

export interface ReadMessage {
  readonly message: Message;
  /** The same for every copy of the message, whenever and however often it comes. */
  readonly identity: string;
}
type Attributes = Readonly<Record<string, string>>;

export const DEFAULT_MAX_BYTES = 64 * 1_024;

/**
 * Reads messages of an ingress. The function that it returns throws Refusal `MESSAGE_TOO_LARGE`, `MESSAGE_TOO_DEEP`, `MESSAGE_EMPTY`,
 * `MESSAGE_MALFORMED` or `MESSAGE_UNFIT`.
 */
export function messageReader(ingress: Ingress): (kept: KeptMessage) => ReadMessage {
  const { name, maxBytes = DEFAULT_MAX_BYTES } = ingress;
  const check: Check = compileSchema(ingress.message as TSchema, `${name}: message`);
  return kept => {
    if (kept.encoding === "cut") throw streamErrors.MESSAGE_TOO_LARGE({ bytes: kept.bytes, maxBytes });
    if (kept.encoding === "deep") throw streamErrors.MESSAGE_TOO_DEEP({ levels: LEVELS_MAX });
    if (kept.encoding === "none") throw streamErrors.MESSAGE_EMPTY();
    if (kept.encoding !== "json") throw streamErrors.MESSAGE_MALFORMED();
    const { attributes, data } = contentOf(kept);
    const found = check(data);
    if (found !== true) {
      const [{ field, message }] = found as [(typeof found)[number]];
      throw streamErrors.MESSAGE_UNFIT({ errors: found, what: field === "" ? message : `${field} ${message}` });
    }
    return {
      message: { data, key: keyOf(kept, attributes), attributes, headers: kept.headers, atMs: kept.atMs },
      identity: identityOf(kept, attributes),
    };
  };
}

/** The attributes of a message of any form; none of one that is no CloudEvent. Never throws. */
export const attributesOf = (kept: KeptMessage): Attributes => contentOf(kept).attributes;

/** Data and attributes in the three forms that there are: binary CloudEvent, structured CloudEvent, plain JSON. */
function contentOf({ headers, payload }: KeptMessage): { attributes: Attributes; data: unknown } {
  if (STRUCTURED.test(headers["content-type"] ?? "") && isObject(payload)) {
    const { data, ...rest } = payload;
    const texts = Object.entries(rest).filter((entry): entry is [string, string] => typeof entry[1] === "string");
    return { attributes: Object.fromEntries(texts), data };
  }
  for (const form of [fromKafka(headers, undefined), fromHttp(headers, undefined)])
    if (form.attributes["id"] !== undefined) return { attributes: form.attributes, data: payload };
  return { attributes: {}, data: payload };
}
const STRUCTURED = /^application\/cloudevents\+json\b/i;
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * A CloudEvent is the same event if source and id are, by whatever way it comes. Another message is known by its place
 * alone: one that its sender publishes twice is two.
 */
function identityOf({ origin, partition, place }: KeptMessage, { id = "", source = "" }: Attributes): string {
  return id !== "" && source !== "" ? idFrom("cloudevent", source, id) : idFrom(origin, `${partition}`, place);
}

/** An empty key is none. */
const keyOf = ({ key }: KeptMessage, { partitionkey }: Attributes): string | undefined =>
  key || partitionkey || undefined;
