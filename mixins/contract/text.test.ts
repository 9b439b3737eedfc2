import { describe, expect, test } from "@jest/globals";
import Type from "typebox";
import {
  compileSchema,
  EmailAddress,
  KnownEmailAddress,
  NewPassword,
  PhoneNumber,
  strictObject,
  TextLines,
  TextLine,
} from "./index.ts";

const fields = {
  name: Type.Optional(TextLine({ maxLength: 5 })),
  line2: Type.Optional(TextLine({ maxLength: 5, blank: true })),
  notes: Type.Optional(Type.Array(TextLines({ maxLength: 20 }))),
  phone: Type.Optional(PhoneNumber({ maxLength: 20 })),
  email: Type.Optional(EmailAddress()),
  password: Type.Optional(NewPassword({ minLength: 4, maxLength: 8 })),
};
const check = compileSchema(strictObject(fields));

describe("a field of people's text", () => {
  test.each([
    [{ name: " A\u0301da\u00a0" }, { name: "\u00c1da" }],
    // Its bounds are those of the normal form.
    [{ name: "  e\u0301e\u0301e\u0301e\u0301e\u0301  " }, { name: "\u00e9\u00e9\u00e9\u00e9\u00e9" }],
    [{ line2: " \u200b" }, { line2: "" }],
    [{ notes: ["a\r\nb ", "c"] }, { notes: ["a\nb", "c"] }],
    [{ phone: "\u202a+1 555 0100\u202c" }, { phone: "+1 555 0100" }],
    [{ email: "\u00a0Ada@Example.com \n" }, { email: "Ada@Example.com" }],
    [{ password: " ﬁe\u0301 " }, { password: " fi\u00e9 " }],
  ])("%j becomes %j", (value, normal) => {
    expect(check(value)).toBe(true);
    expect(value).toEqual(normal);
    expect(check(Object.freeze(value))).toBe(true);
  });

  test.each<[object, string]>([
    [{ name: "\u00a0\u200b" }, "name"],
    [{ name: "a\u202eb" }, "name"],
    [{ name: "a\nb" }, "name"],
    [{ name: "abcdef" }, "name"],
    [{ name: `${" ".repeat(30)}a` }, "name"],
    [{ notes: ["ok", "\u001b[2J"] }, "notes.1"],
    [{ email: "a\u200bda@example.com" }, "email"],
    [{ email: "ada@exa\u202emple.com" }, "email"],
    [{ password: "ﬀﬀﬀﬀﬀ" }, "password"],
    [{ password: "e\u0301e\u0301e\u0301" }, "password"],
    [Object.freeze({ name: " Ada" }), "name"],
  ])("%j is refused", (value, field) => expect(check(value)).toMatchObject([{ field }]));
});

test.each(["o'hara+loans@example.com", "ädä@exämple.com", "a..b@example.com", "a@b.example.com"])(
  "%s may be the address of a new account",
  email => expect(check({ email })).toBe(true),
);

test.each(["<ada@example.com>", '"ada"@example.com', "x,victim@example.com", "ada;eve@example.com"])(
  "%s would be another name of somebody's mailbox: no new account has it, and one that does may log in",
  email => {
    expect(check({ email })).not.toBe(true);
    expect(compileSchema(strictObject({ email: KnownEmailAddress() }))({ email })).toBe(true);
  },
);
