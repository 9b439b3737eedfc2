// A store on several databases, and what the doctor says about its log.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { openEventStore } from "../../../../event-store/siblings.ts";
import { appendOf, verdictOf } from "../../../../event-store/event-store.conformance.ts";
import { locationOf } from "../../../../database/index.ts";
import { readEnvironment } from "../../../../kernel/index.ts";
import { newDatabase, postgresUrl, query } from "../../../../testing/servers.ts";
import { examined } from "../../examined.fixture.ts";

const all = ["loans", "loan-lists"];
const EVENTS = 40;
let databases: Awaited<ReturnType<typeof newDatabase>>[];
const urls = (...indexes: number[]): string[] => indexes.map(i => databases[i]!.url);
const env = (...shards: number[]) => ({
  DATA_DIR: "nowhere",
  LOANS_DATABASE_URL: urls(...shards).join(","),
  LOAN_LISTS_DATABASE_URL: databases[2]!.url,
});
const lines = async (check: string, ...shards: number[]) =>
  (await examined(env(...shards), { all, only: "loans" })).of(check);
const set = (url: string, sql: string) => query(url, sql);

beforeEach(async () => {
  databases = await Promise.all(Array.from({ length: 3 }, () => newDatabase(postgresUrl())));
  const store = await openEventStore(locationOf(readEnvironment(env(0, 1)), "loans"));
  const events = [{ type: "loan.confirmed", schemaVersion: 1, data: "{}" }];
  for (let i = 0; i < EVENTS; i++) await verdictOf(store, appendOf(`loan.${i}`, 0, { events }));
  await store.close();
});
afterEach(() => Promise.all(databases.map(database => database.drop())));

test("a complete store, with its databases in any order", async () => {
  for (const order of [
    [0, 1],
    [1, 0],
  ]) {
    const { of, troubles } = await examined(env(...order), { all, only: "loans", deep: true });
    expect(troubles).toEqual([]);
    expect([...of("shards"), ...of("buckets")]).toEqual([
      expect.stringMatching(/^ok .* 2 databases$/),
      expect.stringMatching(/^ok .* 1024, an owner each$/),
    ]);
    expect(of("gaps")).toHaveLength(2);
  }
});

test("one that is missing, one that is new, one that is named twice", async () => {
  expect(await lines("shards", 0)).toEqual([expect.stringMatching(/^FAIL .*the store has 2 shards, but .* missing 1/)]);
  expect(await lines("buckets", 0)).toEqual([expect.stringMatching(/^FAIL .*512 buckets without an owner/)]);
  expect(await lines("shards", 0, 1, 2)).toEqual([expect.stringMatching(/^FAIL .*is no shard of the store/)]);
  expect(await lines("shards", 0, 1, 1)).toEqual([expect.stringMatching(/^FAIL .*shard 1 is named twice/)]);
  expect(await query(databases[2]!.url, "select from pg_namespace where nspname = 'loans'")).toEqual([]);
});

test("buckets that are sealed, unless a move is under way", async () => {
  const [first] = urls(0) as [string];
  await set(first, "update loans.buckets set state = 'sealed', moving_to = 1 where bucket in (2, 4)");
  expect(await lines("buckets", 0, 1)).toEqual([
    expect.stringMatching(/^FAIL .*2 buckets sealed: commands to them wait → npm run reshard -- loans goes on/),
  ]);
  const moved = set(first, "select pg_advisory_lock(hashtext('reshard loans')), pg_sleep(4)");
  await new Promise(resolve => setTimeout(resolve, 500));
  expect(await lines("buckets", 0, 1)).toEqual([expect.stringMatching(/^ok .*2 of 1024 are being moved/)]);
  await moved;
  await set(first, "update loans.buckets set state = 'owned' where bucket in (2, 4)");
  expect(await lines("buckets", 0, 1)).toEqual([expect.stringMatching(/^warn .*a move of 2 buckets was interrupted/)]);
});

test("P2 a bucket with two owners", async () => {
  await set(urls(1)[0]!, "update loans.buckets set state = 'owned' where bucket = 2");
  expect(await lines("buckets", 0, 1)).toEqual([
    expect.stringMatching(/^FAIL .*1 bucket owned by more than one database → stop the service/),
  ]);
});

test("tables of the service's own on two of them", async () => {
  for (const url of urls(0, 1)) await set(url, "create table loans.migrations_loans ()");
  expect(await lines("shards", 0, 1)).toEqual([
    expect.stringMatching(/^FAIL .*the service's own tables lie on .* and on /),
  ]);
});

test("P4 a consumer has a place in the log of each shard", async () => {
  const views = databases[2]!.url;
  await set(
    views,
    `do $$ begin create role loan_lists; exception when duplicate_object then null; end $$;
     create schema loan_lists authorization postgres; grant all on schema loan_lists to loan_lists;
     create table loan_lists.checkpoints (consumer text, source text, partition text, cursor text);
     create table loan_lists.leases (name text, holder text, expires_at bigint);
     insert into loan_lists.checkpoints values ('sales@1', 'loans', '0', '');
     grant select on all tables in schema loan_lists to loan_lists`,
  );
  const lag = async () => (await examined(env(1, 0), { all, only: "loan-lists" })).of("lag")[0];
  expect(await lag()).toContain(`sales@1 on loans: ${EVENTS} events, the oldest waits for`);
  const [newest] = await query(urls(0)[0]!, "select xid, position from loans.events order by xid desc limit 1");
  const [rest] = await query(urls(1)[0]!, "select count(*)::int as events from loans.events");
  await set(views, `update loan_lists.checkpoints set cursor = '0=${newest.xid}:${newest.position}'`);
  expect(await lag()).toContain(`sales@1 on loans: ${rest.events} events`);
});

test("a log that was restored from a dump", async () => {
  await set(urls(0)[0]!, "update loans.events set xid = '999999999999' where version = 1");
  expect(await lines("log", 0, 1)).toEqual([
    expect.stringMatching(/^FAIL .*a transaction that this server has not had yet: it was restored from a dump/),
    expect.stringMatching(/^ok/),
  ]);
});
