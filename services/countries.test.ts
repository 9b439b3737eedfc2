import { expect, test } from "@jest/globals";
import { COUNTRIES, WITHOUT_POSTAL_CODES } from "./countries.ts";

test("the countries are those of Node's own data, without the codes that are no country of ISO 3166-1", () => {
  const others = "AC AN BU CP CQ CS DD DG DY EA EU EZ FX HV IC NH QO RH SU TA TP UK UN VD XA XB XK YD YU ZR ZZ".split(
    " ",
  );
  const names = new Intl.DisplayNames("en", { type: "region", fallback: "none" });
  const letters = Array.from({ length: 26 }, (_, n) => String.fromCharCode(65 + n));
  const known = letters.flatMap(a => letters.map(b => a + b)).filter(code => names.of(code) !== undefined);
  expect([...COUNTRIES].toSorted()).toEqual(known.filter(code => !others.includes(code)));
  expect(COUNTRIES.size).toBe(249);
  expect(WITHOUT_POSTAL_CODES.filter(code => !COUNTRIES.has(code))).toEqual([]);
});
