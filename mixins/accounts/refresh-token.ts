// How refresh tokens are made. A store keeps only a token's hash and must be able to give its successor twice. So the
// successor is an HMAC of the token before it, under the family's secret: a thief of the store lacks the token, a thief
// of an old token lacks the secret.
import { createHmac, hash, randomBytes } from "node:crypto";

export const randomText = (bytes: number): string => randomBytes(bytes).toString("base64url");
export const hashOf = (token: string): string => hash("sha256", token, "base64url");
export const successorOf = (token: string, secret: string): Buffer =>
  createHmac("sha256", Buffer.from(secret, "base64url")).update(token).digest();
