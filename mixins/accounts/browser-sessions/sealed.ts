// The hash that a store keeps of a cookie's value. It differs from that of a refresh token (`refresh-token.ts`) by its prefix:
// a cookie's value is no refresh token, and a refresh token in a cookie opens nothing.
import { hashOf } from "../refresh-token.ts";

export const sealed = (value: string): string => hashOf(`cookie ${value}`);

/** The form of a value: 32 bytes in base64url. */
export const isValue = (text: string): boolean => /^[\w-]{43}$/.test(text);
