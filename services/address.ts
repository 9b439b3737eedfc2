import Type, { type Static } from "typebox";
import { PERSONAL, PhoneNumber, TextLine } from "@valence/runtime/contract";
import { COUNTRY, WITHOUT_POSTAL_CODES } from "./countries.ts";

const text = (maxLength: number) => Type.String({ minLength: 1, maxLength, ...PERSONAL });
const country = Type.String({ pattern: "^[A-Z]{2}$" });

/** A postal address as it was recorded, by this release or an earlier one. */
export const Address = Type.Object(
  {
    name: text(200),
    company: Type.Optional(text(200)),
    line1: text(200),
    line2: Type.Optional(Type.String({ maxLength: 200, ...PERSONAL })),
    city: text(100),
    region: Type.Optional(text(100)),
    postalCode: Type.Optional(text(20)),
    country,
    phone: Type.Optional(text(40)),
  },
  { additionalProperties: false, title: "Address" },
);

const optional = (maxLength: number) => Type.Optional(TextLine({ maxLength, blank: true, personal: true }));

/** A postal address as a person types it. The country is ISO 3166-1 alpha-2; not all have postal codes. */
export const PostalAddress = Type.Object(
  {
    name: TextLine({ maxLength: 200, personal: true }),
    company: optional(200),
    line1: TextLine({ maxLength: 200, personal: true }),
    line2: optional(200),
    city: TextLine({ maxLength: 100, personal: true }),
    region: optional(100),
    postalCode: optional(20),
    country: Type.String({ pattern: "^[A-Z]{2}$", format: COUNTRY }),
    phone: Type.Optional(PhoneNumber({ maxLength: 40, blank: true })),
  },
  {
    title: "PostalAddress",
    additionalProperties: false,
    if: { properties: { country: { enum: WITHOUT_POSTAL_CODES } } },
    else: { properties: { postalCode: TextLine({ maxLength: 20, personal: true }) }, required: ["postalCode"] },
  },
);

/** The address without the lines that were left blank. */
export function filledIn<A extends Static<typeof Address>>(address: A): A {
  const filled: A = { ...address };
  for (const name in filled) if (filled[name] === "") delete filled[name];
  return filled;
}
