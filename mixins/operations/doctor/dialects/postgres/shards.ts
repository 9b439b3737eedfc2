// Whether the databases of the list are the whole store, and each bucket has one owner.
import { checkShards } from "../../../../database/siblings.ts";
import { BUCKETS } from "../../../../event-store/siblings.ts";
import { Bug } from "../../../../kernel/index.ts";
import { count, fail, ok, warn, type Result } from "../../finding.ts";
import type { Schema } from "./schema.ts";

export async function shardsOf(schemas: readonly Schema[]): Promise<readonly Result[]> {
  if (schemas.every(({ row }) => row === undefined)) return [];
  try {
    checkShards(schemas);
    const own = schemas.filter(({ names }) => [...names].some(name => name.startsWith("migrations_")));
    if (own.length > 1)
      return [
        fail(
          "shards",
          `the service's own tables lie on ${own.map(({ place }) => place).join(" and on ")}: places of its consumers too`,
          "find out by the checkpoints which are in use, and drop the others",
        ),
      ];
    return [ok("shards", count(schemas.length, "database"))];
  } catch (error) {
    if (!(error instanceof Bug)) throw error;
    return [fail("shards", error.message, "name every database of the store, and no other; it does not start")];
  }
}

export async function bucketsOf(service: string, schemas: readonly Schema[]): Promise<readonly Result[]> {
  const stores = schemas.filter(({ names }) => names.has("buckets"));
  const [first] = stores.toSorted((a, b) => a.shard - b.shard);
  if (!first) return [];
  const known = await Promise.all(stores.map(store => store.buckets()));
  const isMoving = await isResharding(first);
  const owners = Array.from({ length: BUCKETS }, () => 0);
  for (const { bucket, state } of known.flat()) if (state === "owned") owners[bucket]! += 1;
  const sealed = known.flat().filter(({ state, bucket }) => state === "sealed" && owners[bucket] === 0);
  const marked = known.flat().filter(row => row.moving_to !== null);
  if (isMoving) return [ok("buckets", `${marked.length} of ${BUCKETS} are being moved by npm run reshard`)];
  const results: Result[] = [];
  const goOn = `npm run reshard -- ${service} goes on where it was`;
  if (sealed.length > 0)
    results.push(fail("buckets", `${count(sealed.length, "bucket")} sealed: commands to them wait`, goOn));
  const ownerless = owners.filter(number => number === 0).length - sealed.length;
  if (ownerless > 0)
    results.push(
      fail("buckets", `${count(ownerless, "bucket")} without an owner`, "is a database of the store missing?"),
    );
  const shared = owners.filter(number => number > 1).length;
  if (shared > 0)
    results.push(
      fail(
        "buckets",
        `${count(shared, "bucket")} owned by more than one database`,
        "stop the service: its streams fork",
      ),
    );
  if (results.length === 0 && marked.length > 0)
    results.push(warn("buckets", `a move of ${count(marked.length, "bucket")} was interrupted`, goOn));
  return results.length > 0 ? results : [ok("buckets", `${BUCKETS}, an owner each`)];
}

/** A running reshard holds this session lock from beginning to end. */
async function isResharding(schema: Schema): Promise<boolean> {
  const [row] = await schema.rows<any>(
    `select exists (
       select from pg_locks where locktype = 'advisory' and objsubid = 1 and granted
         and database = (select oid from pg_database where datname = current_database())
         and objid::bigint = hashtext('reshard ' || current_schema)::bigint & 4294967295
     ) as it`,
  );
  return row.it;
}
