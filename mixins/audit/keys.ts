// The key that signs: of the variable, or one that the audit makes and keeps in its database.
import type { Knex } from "knex";
import type { Database } from "../database/index.ts";
import { SigningKey } from "./signing.ts";

/** `pem`: the key of `AUDIT_SIGNING_KEY`. Its public half is noted, so that what it signed can be checked after it is gone. */
export async function signingKeyOf(database: Database, pem: string | undefined): Promise<SigningKey> {
  const made = SigningKey.make();
  return database.transaction(
    async trx => {
      const kept = pem === undefined ? await trx("audit_keys").whereNotNull("private_key").first() : undefined;
      const text = pem ?? kept?.private_key ?? made;
      const key = new SigningKey(text);
      const row = { id: key.id, public_key: key.publicPem, private_key: pem === undefined ? text : null };
      if (!kept) await trx("audit_keys").insert(row).onConflict("id").ignore();
      return key;
    },
    { lock: "audit-keys" },
  );
}

/** All public keys that have signed, in PEM. */
export async function publicKeysIn(knex: Knex): Promise<string[]> {
  const rows: { public_key: string }[] = await knex("audit_keys").orderBy("id").select("public_key");
  return rows.map(({ public_key }) => public_key);
}
