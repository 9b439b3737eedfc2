import { expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import Type from "typebox";
import { strictObject } from "../contract/index.ts";
import { Validator } from "./validator.ts";

test("params that do not compile are named by their action, in a service without a contract too", () => {
  const broker = new ServiceBroker({ logger: false, validator: new Validator() });
  const params: Record<string, any> = strictObject({ since: Type.String({ format: "dat" }) });
  const open = { params, handler: () => 1 };
  expect(() => broker.createService({ name: "loyalty", actions: { open } })).toThrow(
    'loyalty.open: params.since: unknown format "dat"',
  );
});
