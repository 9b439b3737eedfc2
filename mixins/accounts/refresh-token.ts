// What refresh tokens are made of. A store keeps only a token's hash, and still has to give out its successor twice: so
// the successor is an HMAC, under the family's secret, of the token before it. Who has the store lacks the token, who has
// an old token lacks the secret.
import { createHmac, hash, randomBytes } from "node:crypto";

export const randomText = (bytes: number): string => randomBytes(bytes).toString("base64url");
export const hashOf = (token: string): string => hash("sha256", token, "base64url");
export const successorOf = (token: string, secret: string): Buffer =>
  createHmac("sha256", Buffer.from(secret, "base64url")).update(token).digest();
