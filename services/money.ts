import Type from "typebox";
import { defineFormat } from "@valence/runtime/contract";

/** Node's own list of currencies, with the historic ones: an order that was paid in marks stays readable. */
const CURRENCIES = new Set(Intl.supportedValuesOf("currency"));
const CURRENCY = defineFormat("iso-4217", { check: code => CURRENCIES.has(code), example: "EUR" });

/** Money: an integer in minor units with an ISO 4217 currency. */
export const Money = Type.Object(
  {
    amount: Type.Integer({ minimum: 0, maximum: 100_000_000_000 }),
    currency: Type.String({ pattern: "^[A-Z]{3}$", format: CURRENCY }),
  },
  { additionalProperties: false, title: "Money" },
);
