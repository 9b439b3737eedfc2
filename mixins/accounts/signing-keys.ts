// The key pair that signs access tokens, kept in the accounts database. Processes that start at once share one: the
// second finds the key of the first.
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, SignJWT, type JWK } from "jose";
import type { Database } from "../database/index.ts";
import { newId, rfc3339 } from "../kernel/index.ts";
import { limits } from "./limits.ts";

const ALGORITHM = "ES256";

export interface Signer {
  /** Public keys, RFC 7517. */
  readonly jwks: { keys: Record<string, unknown>[] };
  /** An access token, RFC 9068. `seconds`: its life, by default that of a log-in's. */
  sign(subject: Subject, seconds?: number): Promise<string>;
}

/** The person that a token speaks of, and what it is narrowed to. */
export interface Subject {
  readonly id: string;
  readonly roles: readonly string[];
  /** Permissions of an API key, with blanks between (RFC 8693, 4.2). */
  readonly scope?: string;
  /** The session that the token belongs to. */
  readonly sid?: string;
}

export async function openSigner(database: Database, issuer: string): Promise<Signer> {
  const fresh = await generate();
  const { kid, publicJwk, privateJwk } = await database.transaction(
    async trx => {
      const known = await trx("signing_keys").orderBy("created_at", "desc").first();
      if (known)
        return {
          kid: known.kid as string,
          publicJwk: JSON.parse(known.public_jwk) as JWK,
          privateJwk: JSON.parse(known.private_jwk) as JWK,
        };
      await trx("signing_keys").insert({
        kid: fresh.kid,
        public_jwk: JSON.stringify(fresh.publicJwk),
        private_jwk: JSON.stringify(fresh.privateJwk),
        created_at: rfc3339(Date.now()),
      });
      return fresh;
    },
    { lock: "signing-keys" },
  );

  const key = await importJWK(privateJwk, ALGORITHM);
  return {
    jwks: { keys: [{ ...publicJwk, kid, alg: ALGORITHM, use: "sig" }] },
    sign: ({ id, ...claims }, seconds = limits.accessTokenSeconds) =>
      new SignJWT({ ...claims })
        .setProtectedHeader({ alg: ALGORITHM, kid, typ: "at+jwt" })
        .setIssuer(issuer)
        .setAudience(issuer)
        .setSubject(id)
        .setJti(newId())
        .setIssuedAt()
        .setExpirationTime(`${seconds}s`)
        .sign(key),
  };
}

async function generate() {
  const pair = await generateKeyPair(ALGORITHM, { extractable: true });
  const publicJwk = await exportJWK(pair.publicKey);
  return { kid: await calculateJwkThumbprint(publicJwk), publicJwk, privateJwk: await exportJWK(pair.privateKey) };
}
