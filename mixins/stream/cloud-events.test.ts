import { expect, test } from "@jest/globals";
import { HTTP, Kafka, type CloudEvent as SdkEvent } from "cloudevents";
import {
  cloudEvents,
  fromHttp,
  fromKafka,
  httpHeaders,
  kafkaHeaders,
  readCloudEvent,
  sourceOf,
} from "./cloud-events.ts";
import type { LogEvent } from "./log/source.ts";

const OWNER = { namespace: "library", service: "v2.loans", versions: { "loan.made": 2 }, secrets: ["pin"] };
const event = {
  eventId: "loan.a.b@3",
  type: "loan.made",
  actor: "loan",
  stream: "a.b",
  version: 3,
  at: "2026-01-01T12:00:00.000Z",
  data: { book: "Ärger, 100 %", copies: [1, 2], of: { title: '"x"' } },
  metadata: {
    user: "u1",
    key: "k1",
    caller: "desk",
    node: "node-1",
    requestId: "r1",
    commandId: "client:Zoë:1",
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    tracestate: "congo=t61rcWkgMzE",
  },
} as unknown as LogEvent;
const place = { logcursor: "12", logcount: "3" };
const encode = cloudEvents(OWNER);

test("an event has the attributes of a CloudEvent, and its data is the body", () => {
  const { attributes, data } = encode(event);
  expect(attributes).toEqual({
    specversion: "1.0",
    id: "loan.a.b@3",
    source: "/library/v2.loans",
    type: "loan.made.v2",
    subject: "loan.a.b",
    partitionkey: "loan.a.b",
    time: "2026-01-01T12:00:00.000Z",
    datacontenttype: "application/json",
    userid: "u1",
    keyid: "k1",
    caller: "desk",
    node: "node-1",
    requestid: "r1",
    commandid: "client:Zoë:1",
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    tracestate: "congo=t61rcWkgMzE",
  });
  expect(JSON.parse(data!)).toEqual(event.data);
});

test("without a namespace the source is the service, and its characters make a URI", () => {
  expect(sourceOf({ namespace: "", service: "loans" })).toBe("/loans");
  expect(sourceOf({ namespace: "a b/c", service: "loans" })).toBe("/a%20b%2Fc/loans");
});

const BINDINGS = [
  ["Kafka", kafkaHeaders, fromKafka],
  ["HTTP", httpHeaders, fromHttp],
] as const;

test.each(BINDINGS)("an event and the carrier's place survive the headers of %s", (_name, toHeaders, from) => {
  const sent = encode(event, place);
  expect(readCloudEvent(from(toHeaders(sent), sent.data))).toEqual({
    event,
    source: "/library/v2.loans",
    schemaVersion: 2,
    withheld: [],
    extensions: place,
  });
});

test("headers of HTTP are printable ASCII, those of Kafka UTF-8", () => {
  const sent = encode(event);
  expect(Object.values(httpHeaders(sent)).filter(value => !/^[!-~]+$/.test(value))).toEqual([]);
  expect(httpHeaders(sent)["ce-commandid"]).toBe("client:Zo%C3%AB:1");
  expect(kafkaHeaders(sent)).toMatchObject({
    ce_id: "loan.a.b@3",
    ce_commandid: "client:Zoë:1",
    "content-type": "application/json",
  });
});

test("the SDK of CloudEvents reads the same event from either binding", () => {
  const sent = encode(event, place);
  const read = [
    Kafka.toEvent({
      headers: kafkaHeaders(sent),
      key: "loan.a.b",
      value: sent.data,
      body: sent.data,
      timestamp: undefined,
    } as never),
    HTTP.toEvent({ headers: httpHeaders(sent), body: sent.data }),
  ] as SdkEvent<unknown>[];
  for (const found of read) {
    expect(found.validate()).toBe(true);
    expect(found).toMatchObject({ id: "loan.a.b@3", type: "loan.made.v2", subject: "loan.a.b", logcursor: "12" });
    expect(typeof found.data === "string" ? JSON.parse(found.data) : found.data).toEqual(event.data);
  }
});

test("a field that the contract marks as secret does not leave, and the message says so", () => {
  const secret = { ...event, data: { book: "b", card: { pin: "1234" } } } as unknown as LogEvent;
  const sent = encode(secret);
  expect(JSON.stringify(kafkaHeaders(sent)) + sent.data).not.toContain("1234");
  const { event: read, withheld } = readCloudEvent(fromKafka(kafkaHeaders(sent), sent.data))!;
  expect([read.data, withheld]).toEqual([{ book: "b", card: {} }, ["pin"]]);
});

test("a personal field does not leave either; one of the same name that stands beside others does", () => {
  const personal = [{ name: "name", beside: ["city"] }];
  const data = { to: { name: "Ada", city: "London" }, room: { name: "Blue", floor: 2 } };
  const sent = cloudEvents({ ...OWNER, personal })({ ...event, data });
  const { event: read, withheld } = readCloudEvent(fromKafka(kafkaHeaders(sent), sent.data))!;
  expect([read.data, withheld]).toEqual([{ to: { city: "London" }, room: data.room }, ["name"]]);
});

test("nothing leaves of an event that its owner cannot read", () => {
  const broken = { ...event, data: '{"pin":"1234"', broken: "it is damaged" } as unknown as LogEvent;
  const sent = encode(broken);
  expect(sent.data).toBeUndefined();
  expect(kafkaHeaders(sent)).not.toHaveProperty("content-type");
  expect(readCloudEvent(sent)).toMatchObject({ event: { eventId: "loan.a.b@3", version: 3 }, withheld: ["*"] });
});

test.each([
  ["no headers", {}, "{}"],
  ["no specversion", { ...encode(event).attributes, specversion: "0.3" }, "{}"],
  ["an id without a version", { ...encode(event).attributes, id: "loan.a.b" }, "{}"],
  ["a type without a version", { ...encode(event).attributes, type: "loan.made" }, "{}"],
  ["data that is no JSON", encode(event).attributes, "{"],
  ["data that is no object", encode(event).attributes, "1"],
])("a message of somebody else is no event: %s", (_name, attributes, data) =>
  expect(readCloudEvent({ attributes, data })).toBeUndefined(),
);
