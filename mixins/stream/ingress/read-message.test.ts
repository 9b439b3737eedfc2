import { expect, test } from "@jest/globals";
import Type from "typebox";
import { defineIngress } from "./define-ingress.ts";
import { isAlone, keptOf, partitionOfStream, streamAlone, streamOfKey, type Incoming } from "./kept-message.ts";
import { attributesOf, messageReader } from "./read-message.ts";

const Deliveries = defineIngress({
  name: "printer-deliveries",
  from: { kafka: "printer.deliveries" },
  message: Type.Object({ book: Type.String(), count: Type.Integer({ minimum: 1 }) }),
  handle: async () => {},
});
const read = messageReader(Deliveries);
const data = { book: "b1", count: 3 };

const incoming = (payload: string | Buffer | object, more: Partial<Incoming> = {}): Incoming => ({
  partition: 2,
  place: 7n,
  origin: "topic-1",
  key: undefined,
  headers: {},
  payload: Buffer.isBuffer(payload)
    ? payload
    : Buffer.from(typeof payload === "string" ? payload : JSON.stringify(payload)),
  atMs: 1_790_000_000_000,
  ...more,
});
const kept = (...given: Parameters<typeof incoming>) => keptOf(incoming(...given), 1_000);
const cloud = (prefix: string, id: string, source = "/printer") => ({
  [`${prefix}id`]: id,
  [`${prefix}source`]: source,
  [`${prefix}type`]: "books.delivered.v1",
});

test("plain JSON, and a CloudEvent by the headers of Kafka, those of NATS and HTTP, and as one document", () => {
  const event = {
    specversion: "1.0",
    id: "d-1",
    source: "/printer",
    type: "books.delivered.v1",
    partitionkey: "b1",
    data,
  };
  const forms = [
    kept(data, { headers: cloud("ce_", "d-1") }),
    kept(data, { headers: cloud("ce-", "d-1"), partition: 0, place: 9n }),
    kept(event, { headers: { "content-type": "application/cloudevents+json; charset=utf-8" } }),
  ];
  const all = forms.map(read);
  expect(all.map(({ message }) => message.data)).toEqual([data, data, data]);
  expect(all.map(({ message }) => message.attributes["type"])).toEqual(Array(3).fill("books.delivered.v1"));
  expect(all[2]!.message.key).toBe("b1");
  // One event, whatever way it comes by.
  expect(new Set(all.map(({ identity }) => identity)).size).toBe(1);
  expect(read(kept(data)).message).toMatchObject({ data, attributes: {}, key: undefined });
});

test("P3 without an id a message is known by its place: again there it is the same, elsewhere another", () => {
  const same = [kept(data), kept(data)].map(message => read(message).identity);
  expect(same[0]).toBe(same[1]);
  const others = [kept(data, { place: 8n }), kept(data, { partition: 3 }), kept(data, { origin: "topic-2" })];
  const ids = [kept(data), ...others, kept(data, { headers: cloud("ce_", "d-1") })].map(one => read(one).identity);
  expect(new Set(ids).size).toBe(5);
  // An id means nothing without its source.
  expect(read(kept(data, { headers: { ce_id: "d-1" } })).identity).toBe(ids[0]);
});

test("what cannot be read has a reason, and is kept with payload and headers", () => {
  const headers = { ce_id: "d-1" };
  const bad = [
    ["MESSAGE_MALFORMED", kept("{ no JSON", { headers }), { encoding: "text", payload: "{ no JSON", headers }],
    ["MESSAGE_EMPTY", kept("", { headers }), { encoding: "none", payload: "", headers }],
    ["MESSAGE_MALFORMED", kept(Buffer.from([0xff, 0x00])), { encoding: "base64", payload: "/wA=" }],
    ["MESSAGE_UNFIT", kept({ book: "b1", count: 0 }), { encoding: "json", payload: { book: "b1", count: 0 } }],
    ["MESSAGE_UNFIT", kept("7"), { encoding: "json", payload: 7 }],
    ["MESSAGE_TOO_LARGE", kept({ ...data, note: "x".repeat(2_000) }), { encoding: "cut", bytes: 2_033 }],
    ["MESSAGE_TOO_LARGE", kept(data, { key: "x".repeat(2_000) }), { encoding: "cut", key: "x".repeat(1_024) }],
    ["MESSAGE_TOO_LARGE", kept(data, { headers: { note: "x".repeat(2_000) } }), { encoding: "cut", headers: {} }],
  ] as const;
  for (const [type, message, held] of bad) {
    expect(() => read(message)).toThrow(expect.objectContaining({ type }));
    expect(message).toMatchObject(held);
    expect(() => attributesOf(message)).not.toThrow();
  }
  expect(() => read(kept({ book: "b1" }))).toThrow("count is required");
  expect(read(kept({ ...data, more: true })).message.data).toEqual({ ...data, more: true });
});

test("a message of so many levels that nothing can write its value is kept as text", () => {
  const nested = (levels: number) => `{"book":"b1","count":3,"more":${"[".repeat(levels)}${"]".repeat(levels)}}`;
  const deep = keptOf(incoming(nested(20_000)), 65_536);
  expect(() => read(deep)).toThrow(expect.objectContaining({ type: "MESSAGE_TOO_DEEP" }));
  expect(JSON.parse(JSON.stringify(deep))).toMatchObject({ encoding: "deep", payload: nested(20_000) });
  expect(read(keptOf(incoming(nested(99)), 65_536)).message.data).toMatchObject(data);
});

test("the stream of a message tells its partition, and whether it stands alone", () => {
  for (const key of ["b1", "a/b:c", "x".repeat(500), "\u0000", "#1"]) {
    const stream = streamOfKey(11, key);
    expect(stream.length).toBeLessThanOrEqual(210);
    expect(stream).not.toContain("\u0000");
    expect([partitionOfStream(`printer-deliveries.${stream}`), isAlone({ stream })]).toEqual([11, false]);
  }
  expect(streamOfKey(1, "#1")).not.toBe("1:#1");
  const stream = streamAlone(kept(data));
  expect([partitionOfStream(`printer-deliveries.${stream}`), isAlone({ stream })]).toEqual([2, true]);
});

test("a definition that is from nowhere, or without a usable name, is refused", () => {
  const { message, handle } = Deliveries;
  expect(() => defineIngress({ name: "x", from: {}, message, handle })).toThrow("reads from nowhere");
  expect(() => defineIngress({ name: "a.b", from: { kafka: "x" }, message, handle })).toThrow("small letters");
});
