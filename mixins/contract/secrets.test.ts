import { expect, test } from "@jest/globals";
import Type from "typebox";
import { PersonalFields, type PersonalField } from "../kernel/index.ts";
import {
  defineContract,
  defineService,
  EmailAddress,
  jsonWithoutSecrets,
  PERSONAL,
  PhoneNumber,
  secretsOf,
  TextLine,
  withoutSecrets,
} from "./index.ts";
import { compileSchema } from "./schema.ts";
import { strictObject } from "./contract.ts";

const pin = Type.String({ writeOnly: true });

test("a service announces what its contract marks as secret, wherever it is marked", () => {
  const contract = defineContract({
    service: "doors",
    state: { keys: Type.Array(Type.Object({ id: Type.String(), code: pin })) },
    commands: { open: { pin } },
    events: { "doors.opened": { at: Type.String() } },
  });
  const { metadata } = defineService(contract, { metadata: { floor: 1 } });
  expect(metadata).toEqual({ floor: 1, secrets: ["code", "pin"] });
});

test("a mark on a part of a field is one on the field", () => {
  const contract = defineContract({
    service: "vaults",
    events: {
      "vault.made": {
        codes: Type.Array(pin),
        byName: Type.Record(Type.String(), pin),
        spare: Type.Union([pin, Type.Null()]),
        items: Type.String(),
      },
    },
  });
  expect(secretsOf(contract.events)).toEqual(["byName", "codes", "spare"]);
  expect(secretsOf({ items: pin })).toEqual(["items"]);
});

test("a secret is left out of the text that leaves, at any depth, and named", () => {
  const value = { id: 1, card: { token: "t", list: [{ token: { a: 1 } }, null, "token"] } };
  expect(jsonWithoutSecrets(value, new Set(["token", "pin"]))).toEqual({
    json: '{"id":1,"card":{"list":[{},null,"token"]}}',
    withheld: ["token"],
  });
  expect(jsonWithoutSecrets(value, new Set())).toEqual({ json: JSON.stringify(value), withheld: [] });
});

test("a secret is hidden at any depth, and nothing else", () => {
  const value = { id: 1, card: { token: "t", list: [{ token: { a: 1 } }, null, "token"] }, at: "now" };
  expect(withoutSecrets(value, new Set(["token"]))).toEqual({
    id: 1,
    card: { token: "…", list: [{ token: "…" }, null, "token"] },
    at: "now",
  });
});

test("a service announces what tells who a person is, with the fields that it stands beside; and it is hidden there", () => {
  const guest = { name: TextLine({ maxLength: 20, personal: true }), room: Type.Integer() };
  const contract = defineContract({
    service: "guests",
    events: { "guests.came": { guest: Type.Object(guest), phone: PhoneNumber({ maxLength: 20 }) } },
    actions: { find: { params: { email: EmailAddress() }, returns: Type.Object({ name: Type.String(PERSONAL) }) } },
  });
  const { metadata } = defineService(contract, { actions: { find: () => ({ name: "" }) } });
  const { personal } = metadata as { personal: PersonalField[] };
  expect(personal).toEqual([
    { name: "name", beside: ["room"] },
    { name: "phone", beside: ["guest"] },
    { name: "email", beside: [] },
    { name: "name", beside: [] },
  ]);
  const fields = new PersonalFields();
  fields.add(personal);
  const value = { guests: [{ name: "Ann", room: 7 }], consumer: { name: "rooms", lag: 3 } };
  expect(withoutSecrets(value, new Set(), fields)).toEqual({ ...value, guests: [{ name: "…", room: 7 }] });
});

test("the mark checks nothing", () => expect(compileSchema(strictObject({ pin }))({ pin: "1" })).toBe(true));
