// Text that people type, by its kind. The check of a schema brings a field of such a kind into its one normal form, before
// it looks at lengths and patterns: the same words typed on two systems are the same text afterwards.
import type { DataValidateFunction, DataValidationCxt } from "ajv/dist/types/index.js";
import Type from "typebox";
import { normalText, trimmed } from "../kernel/index.ts";
import { ajv } from "./ajv.ts";
import { PERSONAL } from "./personal.ts";

/** Keyword of the schemas; its value is one of the kinds below. */
const TEXT_KEYWORD = "x-text";

const withoutMarks = (text: string): string => text.replaceAll(/\p{Cf}/gu, "");

/** The normal form of a text, by its kind; undefined where the text cannot be taken. */
const TEXT_KINDS: Readonly<Record<string, (text: string) => string | undefined>> = {
  line: text => normalText(text),
  lines: text => normalText(text, { lines: true }),
  /** A number that is copied from an address book comes with marks of direction around it. */
  phone: text => normalText(withoutMarks(text)),
  /** Trimmed only: the address is kept as it was written. How addresses are compared is their owner's to say. */
  email: trimmed,
  /** Nothing is taken away: a blank is a character of a password. The same keys give other code points elsewhere. */
  password: text => text.normalize("NFKC"),
};

interface Bounds {
  /** Characters of the normal form. */
  readonly maxLength: number;
  /** Whether it may be blank, which then is `""`. Default false. */
  readonly blank?: boolean;
  /** Whether it tells who a person is: see `personal.ts`. Default false. */
  readonly personal?: boolean;
}

const textOf = (kind: string, { maxLength, blank = false, personal = false }: Bounds) =>
  Type.String({ ...(!blank && { minLength: 1 }), maxLength, [TEXT_KEYWORD]: kind, ...(personal && PERSONAL) });

/** One line, a name: NFC, trimmed, visible, without control or direction characters. */
export const TextLine = (bounds: Bounds) => textOf("line", bounds);
/** As TextLine, with line breaks and tabs: a description. */
export const TextLines = (bounds: Bounds) => textOf("lines", bounds);
/** A telephone number, as TextLine without the invisible marks that address books put around it. */
export const PhoneNumber = (bounds: Bounds) => textOf("phone", { personal: true, ...bounds });
/** An e-mail address that an account has; blanks around it are no part of it. Earlier releases took what is refused today. */
export const KnownEmailAddress = (bounds: { pattern?: string } = {}) =>
  Type.String({ format: "email", minLength: 3, maxLength: 254, [TEXT_KEYWORD]: "email", ...PERSONAL, ...bounds });
/**
 * One for a new account. `<ann@example.com>` and `ann@example.com` would be two accounts with one mailbox: the characters by which
 * a mail's headers set addresses apart, group and quote them (RFC 5322, 3.2.3) are not in it.
 */
export const EmailAddress = () => KnownEmailAddress({ pattern: String.raw`^[^<>()[\]\\,;:"]*$` });
/** A password that is chosen, in NFKC. Where one is only compared, take it as it comes. */
export const NewPassword = (bounds: { minLength: number; maxLength: number }) =>
  Type.String({ ...bounds, writeOnly: true, [TEXT_KEYWORD]: "password" });

const NOWHERE = { parentData: {}, parentDataProperty: "" } as unknown as DataValidationCxt;
/** Characters of a text, for each that it may have, that are still worth composing: more is too long in any form. */
const DECOMPOSED_MAX = 4;

// It writes the normal form into the value, so that all code after the check meets no other one. A text that is in it
// already is left alone: a caller's frozen objects pass.
ajv.addKeyword({
  keyword: TEXT_KEYWORD,
  type: "string",
  schemaType: "string",
  metaSchema: { enum: Object.keys(TEXT_KINDS) },
  before: "maxLength",
  modifying: true,
  errors: true,
  compile(kind: string, { maxLength }) {
    const normalise = TEXT_KINDS[kind]!;
    const unfit = (message: string): false => {
      check.errors = [{ keyword: TEXT_KEYWORD, params: {}, message }];
      return false;
    };
    const check: DataValidateFunction = (text: string, { parentData, parentDataProperty } = NOWHERE) => {
      if (text.length > maxLength * DECOMPOSED_MAX) return true;
      const normal = normalise(text);
      if (normal === undefined) return unfit("must be text without control characters or marks of direction");
      if (normal === text) return true;
      if (Object.isFrozen(parentData)) return unfit("must be in normal form: trimmed, and composed (NFC)");
      parentData[parentDataProperty] = normal;
      return true;
    };
    return check;
  },
});
