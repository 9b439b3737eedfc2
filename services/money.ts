import Type from "typebox";

/** Money: an integer in minor units with an ISO 4217 currency. */
export const Money = Type.Object(
  {
    amount: Type.Integer({ minimum: 0, maximum: 100_000_000_000 }),
    currency: Type.String({ pattern: "^[A-Z]{3}$", format: "iso-4217" }),
  },
  { additionalProperties: false },
);
