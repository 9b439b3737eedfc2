import { expect, test } from "@jest/globals";
import Type, { type TSchema } from "typebox";
import { strictObject } from "../contract.ts";
import { PersonalFields } from "../../kernel/index.ts";
import { PERSONAL, personalFieldsOf } from "../personal.ts";
import { compileSchema } from "../schema.ts";
import { asyncApi, type EventChannel } from "./document.ts";
import { publicData, publicShape } from "./public-shape.ts";

const KEPT = { secrets: new Set(["pin"]) };
const Money = Type.Object(
  { amount: Type.Integer(), currency: Type.String({ format: "currency" }) },
  { title: "Money" },
);
const held = strictObject({
  price: Money,
  guests: Type.Array(strictObject({ name: Type.String({ "x-text": "line" }), pin: Type.Integer() })),
  pin: Type.Optional(Type.String({ writeOnly: true })),
  until: Type.Optional(Type.Union([Type.String({ format: "date-time" }), Type.Null()])),
  properties: Type.Record(Type.String(), Type.Enum(["a", "pin"])),
});
const data = { price: { amount: 1, currency: "EUR" }, guests: [{ name: "Ada", pin: 1 }], pin: "1", properties: {} };

const versionOf = (type: string, version: number, schema: TSchema, example: object) => ({
  version,
  cloudType: `${type}.v${version}`,
  schema: publicShape(schema, KEPT),
  example: publicData(example, KEPT),
});
const CHANNELS: EventChannel[] = [
  {
    owner: "v2.bookings",
    source: "/hotel/v2.bookings",
    topic: "hotel.v2.bookings",
    partitions: 16,
    subject: "EVENTS-hotel.v2=bookings.*",
    events: [
      {
        type: "booking.held",
        version: 2,
        versions: [
          versionOf("booking.held", 1, strictObject({ price: Money }), { price: { amount: 1, currency: "EUR" } }),
          versionOf("booking.held", 2, held, data),
        ],
        consumers: ["nights"],
      },
    ],
  },
];
const document = asyncApi({ title: "Hotel", version: "1", description: "What happens." }, CHANNELS) as any;

test("an owner is a channel with its topic, and each message an example that fits its schema", () => {
  const { messages, schemas } = document.components;
  expect(document.channels["v2.bookings"]).toMatchObject({
    address: "hotel.v2.bookings",
    bindings: { kafka: { topic: "hotel.v2.bookings", partitions: 16 } },
    "x-jetstream-subject": "EVENTS-hotel.v2=bookings.*",
  });
  expect(Object.keys(messages)).toEqual(["booking.held.v1", "booking.held.v2"]);
  for (const { payload, examples } of Object.values<any>(messages)) {
    const name = payload.$ref.slice("#/components/schemas/".length);
    expect(Object.keys(schemas)).toContain(name);
    const money = { ...schemas[name], properties: { ...schemas[name].properties, price: schemas["Money"] } };
    expect(compileSchema(money)(examples[0].payload)).toBe(true);
  }
});

test("an event has its owner, its consumers, and a message for each version; the older one says so", () => {
  const { "booking.held.v1": old, "booking.held.v2": today } = document.components.messages;
  expect(today).toMatchObject({ "x-owner": "v2.bookings", "x-consumers": ["nights"], "x-version": 2 });
  expect([old.deprecated, today.deprecated]).toEqual([true, undefined]);
  expect(document.operations["v2.bookings.publish"].messages).toEqual([
    { $ref: "#/channels/v2.bookings/messages/booking.held.v2" },
  ]);
});

test("what leaves has no secret, is open to further fields, and has no keyword or format of ours", () => {
  expect(publicShape(held, KEPT)).toEqual({
    type: "object",
    required: ["price", "guests", "properties"],
    properties: {
      price: {
        type: "object",
        title: "Money",
        required: ["amount", "currency"],
        properties: { amount: { type: "integer" }, currency: { type: "string" } },
      },
      guests: {
        type: "array",
        items: { type: "object", required: ["name"], properties: { name: { type: "string" } } },
      },
      until: { anyOf: [{ type: "string", format: "date-time" }, { type: "null" }] },
      properties: { type: "object", patternProperties: { "^.*$": { enum: ["a", "pin"] } } },
    },
  });
  expect(publicData(data, KEPT)).toEqual({
    price: { amount: 1, currency: "EUR" },
    guests: [{ name: "Ada" }],
    properties: {},
  });
});

test("what leaves has no personal field, which one of the same name elsewhere is not", () => {
  const Address = strictObject({
    name: Type.String(PERSONAL),
    city: Type.Optional(Type.String(PERSONAL)),
    country: Type.String(),
  });
  const schema = strictObject({ guest: Address, room: strictObject({ name: Type.String(), floor: Type.Integer() }) });
  const personal = new PersonalFields();
  personal.add(personalFieldsOf(schema));
  const room = { name: "Blue", floor: 2 };
  const shape = publicShape(schema, { ...KEPT, personal });
  expect(shape).toMatchObject({
    properties: {
      guest: { required: ["country"], properties: { country: { type: "string" } } },
      room: { required: ["name", "floor"] },
    },
  });
  expect(Object.keys((shape as any).properties.guest.properties)).toEqual(["country"]);
  const guest = { name: "Ada", city: "London", country: "GB" };
  expect(publicData({ guest, room }, { ...KEPT, personal })).toEqual({ guest: { country: "GB" }, room });
});

test("an example in a schema loses its secrets as well", () => {
  const schema = Type.Object({ pin: Type.Integer(), at: Type.String() }, { examples: [{ pin: 1, at: "x" }] });
  expect((publicShape(schema, KEPT) as { examples?: unknown }).examples).toEqual([{ at: "x" }]);
});

test("public events have a channel of their own, which says that webhooks get them, and an address where there is a topic", () => {
  const event = {
    type: "hotel.stay.ended",
    version: 1,
    versions: [versionOf("hotel.stay.ended", 1, strictObject({}), {})],
    consumers: [],
  };
  const desk = { owner: "desk", isPublic: true, source: "/hotel/desk", partitions: 16, events: [event] } as const;
  const { channels, operations } = asyncApi({ title: "Hotel", version: "1", description: "" }, [
    desk,
    { ...desk, topic: "hotel.public" },
  ]) as any;
  expect(channels["desk.webhooks"]).toMatchObject({ address: null, description: expect.stringContaining("webhook") });
  expect(channels["desk.webhooks"].bindings).toBeUndefined();
  expect(channels["desk.hotel.public"]).toMatchObject({ address: "hotel.public", bindings: { kafka: {} } });
  expect(operations["desk.webhooks.publish"]).toMatchObject({ action: "send" });
});

test("messages from outside are channels of their own, which the system receives", () => {
  const schema = publicShape(Type.Object({ room: Type.Integer(), price: Money }), { secrets: new Set() });
  const jetstream = { stream: "AGENCY", subject: "agency.rooms" };
  const inbound = [
    { service: "rooms", ingress: "agency-rooms", topic: "agency.rooms", jetstream, schema },
    { service: "rooms", ingress: "agency-beds", topic: undefined, jetstream, schema },
  ];
  const { channels, operations, components } = asyncApi(
    { title: "Hotel", version: "1", description: "" },
    CHANNELS,
    inbound,
  ) as any;
  expect(Object.keys(channels)).toEqual(["v2.bookings", "rooms.agency-rooms", "rooms.agency-beds"]);
  expect(channels["rooms.agency-rooms"]).toMatchObject({
    address: "agency.rooms",
    bindings: { kafka: { topic: "agency.rooms" } },
    "x-jetstream-subject": "agency.rooms",
  });
  expect(channels["rooms.agency-beds"].bindings).toBeUndefined();
  expect(operations["rooms.agency-rooms.receive"]).toMatchObject({
    action: "receive",
    channel: { $ref: "#/channels/rooms.agency-rooms" },
  });
  const { payload, examples } = components.messages["rooms.agency-rooms"];
  expect(Object.keys(components.schemas)).toContain(payload.$ref.slice("#/components/schemas/".length));
  expect(compileSchema(schema)(examples[0].payload)).toBe(true);
});
