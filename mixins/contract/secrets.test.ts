import { expect, test } from "@jest/globals";
import Type from "typebox";
import { defineContract, defineService, withoutSecrets } from "./index.ts";
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

test("a secret is hidden at any depth, and nothing else", () => {
  const value = { id: 1, card: { token: "t", list: [{ token: { a: 1 } }, null, "token"] }, at: "now" };
  expect(withoutSecrets(value, new Set(["token"]))).toEqual({
    id: 1,
    card: { token: "…", list: [{ token: "…" }, null, "token"] },
    at: "now",
  });
});

test("the mark checks nothing", () => expect(compileSchema(strictObject({ pin }))({ pin: "1" })).toBe(true));
