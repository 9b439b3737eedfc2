import { expect, test } from "@jest/globals";
import Type from "typebox";
import { compileSchema, strictObject } from "@valence/runtime/contract";
import { NO_CARD_NUMBER } from "./card-number.ts";

test("the number of a payment card is refused, whatever stands between its digits, and is not quoted", () => {
  const check = compileSchema(strictObject({ token: Type.String({ format: NO_CARD_NUMBER }) }));
  for (const token of [
    "4242424242424242",
    "4242-4242-4242-4242",
    "4242_4242_4242_4242",
    "4242 4242 4242 4242",
    "4242\u00a04242.4242/4242",
    " 378282246310005 ",
    "6011000990139424",
    "3566002020360505",
  ])
    expect([token, check({ token }) === true]).toEqual([token, false]);
  for (const token of ["4242424242424242", "4242-4242-4242-4242"])
    expect(check({ token })).toEqual([
      { field: "token", message: "is a card's number: send the token that stands for it" },
    ]);
  // A wrong check sum, too short, too long, or not only digits.
  for (const token of [
    "4242424242424241",
    "42424242424",
    "42424242424242424242",
    "tok_4242424242424242",
    "tok_ok",
    "-",
  ])
    expect(check({ token })).toBe(true);
});
