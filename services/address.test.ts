import { describe, expect, test } from "@jest/globals";
import { compileSchema, strictObject } from "@valence/runtime/contract";
import { Address, filledIn, PostalAddress } from "./address.ts";

const check = compileSchema(strictObject({ address: PostalAddress }));
const recorded = compileSchema(strictObject({ address: Address }));
const ada = { name: "Ada", line1: "1 Main St", city: "London", postalCode: "N1", country: "GB" };
const { postalCode: _, ...codeless } = ada;

describe("a postal address", () => {
  test.each<[string, object]>([
    ["as it always was", ada],
    ["of a country without postal codes", { ...codeless, country: "HK" }],
    ["of one of these, with the code that a form demanded", { ...ada, country: "AE" }],
    ["with all its lines", { ...ada, company: "Analytical Ltd", region: "Greater London", phone: "+44 20 7946 0000" }],
    ["with lines left blank", { ...codeless, country: "PA", line2: "", region: " ", postalCode: "", phone: "" }],
  ])("%s is taken, and can be recorded", (_name, address) => {
    expect(check({ address })).toBe(true);
    expect(recorded({ address: filledIn(address as typeof ada) })).toBe(true);
    expect(Object.values(filledIn(address as typeof ada))).not.toContain("");
  });

  test.each<[string, object, string]>([
    ["a country that is none", { ...ada, country: "XX" }, "country"],
    ["a union of countries", { ...ada, country: "EU" }, "country"],
    ["no postal code where there are some", codeless, "postalCode"],
    ["a blank one there", { ...ada, postalCode: "\u00a0" }, "postalCode"],
    ["a name of blanks", { ...ada, name: " \u200b" }, "name"],
    ["a name that turns the line around", { ...ada, name: "Ada\u202e" }, "name"],
    ["a city of two lines", { ...ada, city: "Lon\ndon" }, "city"],
    ["no country", { ...ada, country: undefined }, "country"],
  ])("with %s is refused by name", (_name, address, field) =>
    expect(check({ address: JSON.parse(JSON.stringify(address)) })).toMatchObject([{ field: `address.${field}` }]),
  );
});
