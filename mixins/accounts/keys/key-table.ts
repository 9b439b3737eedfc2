// The table of signing keys. A key has two times, on the database's clock: when it was published, and from when on it
// signs. Its state at any moment follows from these (`key-states.ts`), so that no step can be forgotten half-way.
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from "jose";
import type { Knex } from "knex";
import type { Migration } from "../../database/index.ts";
import { rfc3339 } from "../../kernel/index.ts";
import type { KeyTimes } from "./key-states.ts";

export const ALGORITHM = "ES256";

/** Keys of the release before have no times: they sign since they were made. */
export const keyRotation: Migration = {
  name: "006-key-rotation",
  up: knex =>
    knex.schema.alterTable("signing_keys", table => {
      table.bigInteger("published_at");
      table.bigInteger("signs_from");
    }),
};

export interface KeyPair extends KeyTimes {
  readonly publicJwk: JWK;
  /** Leaves neither the service nor the table. */
  readonly privateJwk: JWK;
}

export async function readKeys(knex: Knex): Promise<KeyPair[]> {
  const rows: Row[] = await knex("signing_keys");
  return rows.map(({ kid, public_jwk, private_jwk, created_at, published_at, signs_from }) => ({
    kid,
    publicJwk: JSON.parse(public_jwk),
    privateJwk: JSON.parse(private_jwk),
    publishedAt: Number(published_at ?? Date.parse(created_at)),
    signsFrom: Number(signs_from ?? Date.parse(created_at)),
  }));
}

export async function addKey(knex: Knex, { kid, publicJwk, privateJwk, publishedAt, signsFrom }: KeyPair) {
  await knex("signing_keys").insert({
    kid,
    public_jwk: JSON.stringify(publicJwk),
    private_jwk: JSON.stringify(privateJwk),
    created_at: rfc3339(publishedAt),
    published_at: publishedAt,
    signs_from: signsFrom,
  });
}

export async function newKeyPair(): Promise<Omit<KeyPair, "publishedAt" | "signsFrom">> {
  const pair = await generateKeyPair(ALGORITHM, { extractable: true });
  const publicJwk = await exportJWK(pair.publicKey);
  return { kid: await calculateJwkThumbprint(publicJwk), publicJwk, privateJwk: await exportJWK(pair.privateKey) };
}

interface Row {
  readonly kid: string;
  readonly public_jwk: string;
  readonly private_jwk: string;
  readonly created_at: string;
  readonly published_at: number | string | null;
  readonly signs_from: number | string | null;
}
