// The key by which e-mail addresses are compared. An address is shown as its owner wrote it; its key is the one form
// that all ways of writing it share, and a unique index over the keys keeps two accounts from having one mailbox.
import { domainToASCII } from "node:url";
import type { Knex } from "knex";
import { isUniqueViolation, type Migration } from "../database/index.ts";

/**
 * Nodes of the previous release add accounts without a key: these are found by the address as written, and get their
 * key at a start.
 */
export const emailKeys: Migration = {
  name: "005-email-keys",
  async up(knex) {
    await knex.schema.alterTable("users", table => void table.string("email_key").unique());
    // An account whose address is in its normal form gets the key; another account whose address differs only in form
    // stays without.
    await knex("users").update({ email_key: knex.ref("email") });
    await eachPage(
      knex,
      users => users,
      async ({ id, email }) => {
        if (normalEmail(email) === email) return;
        await knex("users").where({ id }).update({ email_key: null });
        await setKey(knex, id, email);
      },
    );
  },
};

/**
 * The key of an address: NFKC, lower case, the domain as DNS has it. To most servers and to all people, addresses with
 * the same key are the same mailbox.
 */
export function normalEmail(email: string): string {
  const normal = email.normalize("NFKC").toLowerCase().normalize("NFKC");
  const at = normal.lastIndexOf("@");
  const domain = normal.slice(at + 1);
  // An ASCII domain stays as it is: `domainToASCII` would decode escapes, and read numbers as a network address.
  const isLetters = /[^ -~]/.test(domain) && !domain.includes("%");
  return isLetters ? `${normal.slice(0, at)}@${domainToASCII(domain) || domain}` : normal;
}

/** Accounts that one statement reads. */
const PAGE = 500;

/** Accounts in the order of their ids, page by page. */
async function eachPage(
  knex: Knex,
  of: (users: Knex.QueryBuilder) => Knex.QueryBuilder,
  work: (user: Row) => Promise<unknown>,
): Promise<void> {
  for (let after = ""; ;) {
    const rows: Row[] = await of(knex("users")).where("id", ">", after).orderBy("id").limit(PAGE).select("id", "email");
    for (const row of rows) await work(row);
    if (rows.length < PAGE) return;
    after = rows.at(-1)!.id;
  }
}

/** Gives an account its key, unless another one has it. */
const setKey = (knex: Knex, id: string, email: string): Knex.QueryBuilder => {
  const key = normalEmail(email);
  const taken = knex("users as others").where("others.email_key", key).select(knex.raw("1"));
  return knex("users").where({ id }).whereNotExists(taken).update({ email_key: key });
};

/** Adds keys for the accounts that nodes of the previous release have added. */
export async function completeKeys(knex: Knex): Promise<void> {
  await eachPage(
    knex,
    users => users.whereNull("email_key"),
    ({ id, email }) =>
      setKey(knex, id, email).catch((error: unknown) => {
        // Another start was quicker.
        if (!isUniqueViolation(error)) throw error;
      }),
  );
}

/** The address as it is kept and shown: nodes of the previous release look for it. */
export const writtenEmail = (email: string): string => email.normalize("NFC").toLowerCase();

interface Row {
  readonly id: string;
  readonly email: string;
}
