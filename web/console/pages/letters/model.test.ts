import { expect, test } from "@jest/globals";
import { actorOf } from "./model.ts";

test.each([
  [
    { stream: "order.42", event: { actor: "order", stream: "42" } },
    { type: "order", id: "42" },
  ],
  [{ stream: "order.a.b" }, { type: "order", id: "a.b" }],
  [{ stream: "supplier deliveries", event: { key: "TEX-014" } }, undefined],
])("%j is of %j", (...[letter, actor]) => expect(actorOf(letter)).toEqual(actor));
