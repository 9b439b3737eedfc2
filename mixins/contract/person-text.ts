// Kinds of text that people type. A field of such a kind is brought into its one normal form by the check of its schema,
// before lengths and patterns are looked at: what is typed on two systems is the same text afterwards.
import Type from "typebox";
import { normalText, trimmed } from "../kernel/index.ts";

/** Keyword of the schemas; its value is one of the kinds below. */
export const TEXT_KEYWORD = "x-text";

const withoutFormat = (text: string): string => text.replaceAll(/\p{Cf}/gu, "");

/** What a kind makes of a text, undefined where it cannot be taken. */
export const TEXT_KINDS: Readonly<Record<string, (text: string) => string | undefined>> = {
  line: text => normalText(text),
  lines: text => normalText(text, { lines: true }),
  /** A number that is copied from an address book comes with marks of direction around it. */
  phone: text => normalText(withoutFormat(text)),
  /** Trimmed only: the address is kept as it was written. What it is compared by is the owner's to say. */
  email: trimmed,
  /** Nothing is taken away: a blank is a character of a password. The same keys give other code points elsewhere. */
  password: text => text.normalize("NFKC"),
};

interface Bounds {
  readonly maxLength: number;
  /** Whether it may be blank, which then is `""`. Default false. */
  readonly blank?: boolean;
}

const textOf = (kind: string, { maxLength, blank = false }: Bounds) =>
  Type.String({ ...(!blank && { minLength: 1 }), maxLength, [TEXT_KEYWORD]: kind });

/** One line that a person writes, a name: NFC, trimmed, visible, without control or direction characters. */
export const PersonText = (bounds: Bounds) => textOf("line", bounds);
/** Likewise with line breaks and tabs: a description. */
export const PersonLines = (bounds: Bounds) => textOf("lines", bounds);
export const PhoneNumber = (bounds: Bounds) => textOf("phone", bounds);
/** An e-mail address; blanks around it are no part of it. */
export const EmailAddress = () =>
  Type.String({ format: "email", minLength: 3, maxLength: 254, [TEXT_KEYWORD]: "email" });
/** A password that is chosen, in NFKC. Where one is only compared, take it as it comes. */
export const NewPassword = (bounds: { minLength: number; maxLength: number }) =>
  Type.String({ ...bounds, [TEXT_KEYWORD]: "password" });
