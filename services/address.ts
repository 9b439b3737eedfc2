import Type from "typebox";

const text = (maxLength: number) => Type.String({ minLength: 1, maxLength });

/** A postal address; the country is ISO 3166-1 alpha-2. */
export const Address = Type.Object(
  {
    name: text(200),
    line1: text(200),
    line2: Type.Optional(Type.String({ maxLength: 200 })),
    city: text(100),
    postalCode: text(20),
    country: Type.String({ pattern: "^[A-Z]{2}$" }),
  },
  { additionalProperties: false },
);
