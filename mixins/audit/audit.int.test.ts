import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { Knex } from "knex";
import type { ServiceBroker, ServiceSchema } from "moleculer";
import { locationOf } from "../database/index.ts";
import { openDatabase } from "../database/mixin.ts";
import type { Saga } from "../saga/index.ts";
import { Sagas } from "../saga/mixin.ts";
import { Source } from "../stream/log/source.fixture.ts";
import { newBrokers } from "../testing/broker.ts";
import { until } from "../testing/index.ts";
import type { AuditService } from "./audit.ts";
import { Keeper } from "./keeper.ts";
import { exportPage } from "./export.ts";
import { limits } from "./limits.ts";
import { fromJson, linesIn, toJson } from "./lines.ts";
import { Audit } from "./mixin.ts";
import { Purses } from "./purses.fixture.ts";
import { hashOf, seal } from "./record.ts";
import { checkpointHash, checkpointIn, SigningKey } from "./signing.ts";
import { rewrite, snapshotOf } from "./tampering.fixture.ts";
import { verify, type Line, type Verdict } from "./verify.ts";
import { verifyDatabase } from "./verifying.ts";

const KEY = SigningKey.make();
const { publicPem, id: KEY_ID } = new SigningKey(KEY);
/** No checkpoint is made by itself. */
const ENV = { AUDIT_CHECKPOINT_SECONDS: "86400", AUDIT_SIGNING_KEY: KEY };
type House = Awaited<ReturnType<typeof newBrokers>>;
const loans = (): Source => new Source("loans", "loan", ["loan.made", "loan.ended"]);

const inside = (broker: ServiceBroker): AuditService => broker.getLocalService("audit") as AuditService;
const knexIn = (broker: ServiceBroker): Knex => inside(broker).database.knex;
const recorded = (broker: ServiceBroker, count: number): Promise<any[]> =>
  until(
    () => knexIn(broker)("audit_records").orderBy(["partition", "seq"]),
    rows => rows.length >= count,
  );
/** Events of several subjects, so that several partitions have some; then all records. */
async function fill(broker: ServiceBroker, source: Source, events: number, subjects = 8): Promise<any[]> {
  const before = (await knexIn(broker)("audit_records")).length;
  for (let i = 0; i < events; i++) source.append(`${i % subjects}`, "loan.made", { i });
  return recorded(broker, before + events);
}
const verdictOf = (broker: ServiceBroker): Promise<Verdict> => verifyDatabase(knexIn(broker), { trusted: [publicPem] });
const list = (broker: ServiceBroker, params: object) => broker.call<any, object>("audit.list", params);

describe("recording", () => {
  let house: House;
  afterEach(() => house.stop());
  const start = async (...schemas: ServiceSchema[]): Promise<ServiceBroker> => {
    house = await newBrokers(ENV);
    return house.start(...schemas, Audit());
  };

  test("an event is recorded with who caused it, when, and from which request and trace", async () => {
    const metadata = { key: "key-1", caller: "desk", node: "node-7", requestId: "r-1", commandId: "client:ann:1" };
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const source = loans();
    const event = source.append("1", "loan.made", { days: 3 });
    Object.assign(event.metadata, { ...metadata, user: "ann", traceparent });
    source.append("2", "loan.made");
    const broker = await start(source.schema());
    await recorded(broker, 2);
    const { records } = await list(broker, { person: "ann" });
    expect(records).toEqual([
      {
        ...metadata,
        partition: expect.any(Number),
        seq: 1,
        previous: "",
        hash: expect.stringMatching(/^[\w-]{43}$/),
        at: event.at,
        type: "loan.made",
        subject: "loan.1",
        version: 1,
        person: "ann",
        trace: traceparent,
        data: { days: 3 },
      },
    ]);
  });

  test("an actor's event tells user, key, request, the calling service and the node; secrets and personal data do not enter", async () => {
    const desk: ServiceSchema = {
      name: "desk",
      actions: { earn: (ctx: any) => ctx.call("purses.earn", { id: "p1", amount: 5, token: "canary", payer: "Ann" }) },
    };
    const broker = await start(Purses, desk);
    await broker.call("desk.earn", {}, {
      meta: { user: { id: "ann", roles: [], key: "key-1" } },
      requestID: "r-9",
    } as object);
    const [row] = await recorded(broker, 1);
    expect(JSON.parse(row.record)).toMatchObject({
      subject: "purse.p1",
      person: "ann",
      key: "key-1",
      caller: "desk",
      node: broker.nodeID,
      requestId: "r-9",
      data: { amount: 5, token: "…", payer: "…" },
    });
    expect((await verdictOf(broker)).ok).toBe(true);
  });

  test("the journal of a saga tells each step, on whose behalf, and what operators did; not what steps were given", async () => {
    const Saving: Saga = {
      name: "saving",
      version: 1,
      startedBy: "purse.earned",
      steps: [{ name: "note", call: "desk.note", params: ({ event }) => ({ purse: event.stream, canary: "given" }) }],
      otherwise: { call: "desk.note", params: () => ({}) },
    };
    const desk: ServiceSchema = { name: "desk", actions: { note: () => ({ canary: "answered" }) } };
    // Its actors share the store.
    const purses: ServiceSchema = { ...Purses, mixins: [...(Purses.mixins ?? []), Sagas(Saving)] };
    const broker = await start(purses, desk);
    const as = (id: string, requestID: string) => ({ meta: { user: { id, roles: ["admin"] } }, requestID }) as object;
    await broker.call("purses.earn", { id: "p1", amount: 5, token: "canary", payer: "canary" }, as("ann", "r-1"));
    const journal = async (): Promise<any[]> =>
      (await list(broker, { subject: "saga.purses.saving.p1" })).records.toReversed();
    await until(async () => (await journal()).length === 4);
    await broker.call("purses.annotateSaga", { id: "saving.p1", note: "seen" }, as("bob", "r-2"));
    const records = await until(journal, found => found.length === 5);
    expect(records.map(({ type, person, requestId, data }) => ({ type, person, requestId, data }))).toMatchObject([
      { type: "saga.started", person: "ann", requestId: "r-1", data: { startedBy: "purse.p1@1" } },
      { type: "saga.sent", person: "ann", requestId: "r-1", data: { step: "note" } },
      { type: "saga.done", person: "ann", requestId: "r-1", data: { step: "note", item: 0 } },
      { type: "saga.completed", person: "ann" },
      { type: "saga.noted", person: "bob", requestId: "r-2", data: { by: "bob", note: "seen" } },
    ]);
    expect(JSON.stringify(records)).not.toContain("canary");
    expect(await list(broker, { subject: "purse.p1" })).toMatchObject({ records: [{ type: "purse.earned" }] });
    expect(await verdictOf(broker)).toMatchObject({ ok: true, records: 6 });
    // Its entries may leave the log once all are recorded.
    const { journals } = broker.getLocalService("purses") as any;
    const released = async (version: number) => [...(await journals.released("saving", [{ id: "p1", version }])).ids];
    expect([await released(5), await released(6)]).toEqual([["p1"], []]);
  });

  test("an event that comes again adds nothing: twice in a batch, and after its consumer was sent to the start", async () => {
    const source = loans();
    source.tamper = events => events.flatMap(event => [event, event]);
    const first = await start(source.schema());
    expect(await fill(first, source, 20)).toHaveLength(20);
    const location = locationOf((first.options as unknown as { valence: any }).valence, "audit");
    await first.stop();
    const database = await openDatabase(location);
    for (const table of ["checkpoints", "consumer_versions"]) await database.knex(table).delete();
    await database.close();
    source.append("new", "loan.made");
    const second = await house.start(source.schema(), Audit());
    await until(async () => (await list(second, { subject: "loan.new" })).records.length === 1);
    expect(await recorded(second, 21)).toHaveLength(21);
    expect((await verdictOf(second)).ok).toBe(true);
  });

  test("of two nodes that both believe to hold the lease, one records", async () => {
    const source = loans();
    const first = await start(source.schema());
    await fill(first, source, 30);
    // Without a bus neither knows of the other.
    const second = await house.start(source.schema(), Audit());
    await knexIn(first)("leases").update({ expires_at: 0 });
    await fill(first, source, 30);
    expect(await recorded(second, 60)).toHaveLength(60);
    expect((await verdictOf(second)).ok).toBe(true);
  });

  test("while the database is away events wait, the lag shows it, and then all are recorded", async () => {
    const source = loans();
    const broker = await start(source.schema());
    await fill(broker, source, 4);
    const { knex } = await openDatabase(locationOf((broker.options as unknown as { valence: any }).valence, "audit"));
    const away = await knex.transaction();
    // Postgres: nobody gets at the heads. SQLite: nobody can write.
    await away("audit_heads").update({ seq: knex.ref("seq") });
    for (let i = 0; i < 30; i++) source.append(`${i % 8}`, "loan.made");
    const lag = async () => (await broker.call<any, object>("audit.consumers", {})).consumers[0].lagEvents;
    expect(await until(lag, events => events === 30)).toBe(30);
    await away.rollback();
    await knex.destroy();
    expect(await recorded(broker, 34)).toHaveLength(34);
    expect(await until(lag, events => events === 0)).toBe(0);
    expect((await verdictOf(broker)).ok).toBe(true);
  });

  test("a key of its own is made once, and a later one goes on with a checkpoint", async () => {
    const source = loans();
    house = await newBrokers({ AUDIT_CHECKPOINT_SECONDS: "86400" });
    const first = await house.start(source.schema(), Audit());
    await fill(first, source, 8);
    const made = (await first.call<any, object>("audit.status", {})).key;
    // Twice at once, as by a node whose lease has ended meanwhile: one of them makes it.
    await Promise.all([1, 2].map(() => inside(first).keeper.checkpoint()));
    await first.stop();
    const second = await house.start(source.schema(), Audit());
    expect((await second.call<any, object>("audit.status", {})).key).toEqual(made);
    await fill(second, source, 8);
    await second.stop();
    house.variables["AUDIT_SIGNING_KEY"] = KEY;
    const third = await house.start(source.schema(), Audit());
    await until(async () => (await third.call<any, object>("audit.status", {})).checkpoint.number === 2);
    await fill(third, source, 8);
    expect(await verdictOf(third)).toMatchObject({ ok: true, records: 24, signedBy: [KEY_ID] });
  });
});

describe("tampering", () => {
  let house: House;
  let broker: ServiceBroker;
  let knex: Knex;
  let putBack: () => Promise<void>;
  /** The records of the partition that has the most; a checkpoint covers the first half of them. */
  let rows: any[];
  let partition: number;

  beforeAll(async () => {
    house = await newBrokers(ENV);
    const source = loans();
    broker = await house.start(source.schema(), Audit());
    knex = knexIn(broker);
    await fill(broker, source, 40);
    await inside(broker).keeper.checkpoint();
    const parts = [...Map.groupBy(await fill(broker, source, 40), row => row.partition).values()];
    expect(parts.length).toBeGreaterThan(1);
    rows = parts.sort((a, b) => b.length - a.length)[0]!.map(row => ({ ...row, seq: Number(row.seq) }));
    expect(rows.length).toBeGreaterThan(8);
    partition = rows[0].partition;
    putBack = await snapshotOf(knex);
  });
  afterEach(() => putBack());
  afterAll(() => house.stop());

  const record = (seq: number): Knex.QueryBuilder => knex("audit_records").where({ partition, seq });
  const faultOf = async () => {
    const { ok, faults } = await verdictOf(broker);
    expect(ok).toBe(false);
    return faults[0]!;
  };
  /** Changes the number of a record, of this one and those after it, from the last one on. */
  const move = async (seqs: readonly number[], by: number) => {
    for (const seq of seqs) await record(seq).update({ seq: seq + by });
  };
  const last = (): number => rows.at(-1).seq;
  const forge = (seq: number) => seal({ ...JSON.parse(rows[seq - 1].record), data: { forged: true } });

  test("none: all partitions are as they were written", async () => {
    const { heads, ...verdict } = await verdictOf(broker);
    expect(verdict).toEqual({ ok: true, records: 80, checkpoints: 1, anchored: 0, signedBy: [KEY_ID], faults: [] });
    expect(heads.length).toBeGreaterThan(1);
    const asked = await broker.call<any, object>("audit.verify", {});
    expect(Date.parse(asked.at)).toBeLessThanOrEqual(Date.now());
    expect(asked).toMatchObject({ state: "done", ok: true, records: 80, of: 80 });
  });

  test("a record is edited", async () => {
    await record(3).update({ record: rows[2].record.replace('"i":', '"i":1') });
    expect(await faultOf()).toMatchObject({ kind: "edited", partition, seq: 3 });
  });

  test("a record is edited with its hash", async () => {
    const { text, hash } = forge(3);
    await record(3).update({ record: text, hash });
    expect(await faultOf()).toMatchObject({ kind: "edited", seq: 3 });
  });

  test("the last record is edited with its hash and that of the head", async () => {
    const { text, hash } = forge(last());
    await record(last()).update({ record: text, hash });
    await knex("audit_heads").where({ partition }).update({ hash });
    const { kind, seq, through = seq } = await faultOf();
    expect(kind).toBe("rewritten");
    expect(through).toBe(last());
  });

  test("the column by which a record is found is edited", async () => {
    await record(5).update({ actor: "nobody" });
    expect(await faultOf()).toMatchObject({ kind: "edited", seq: 5 });
  });

  test("a record is removed", async () => {
    await record(4).delete();
    expect(await faultOf()).toMatchObject({ kind: "removed", seq: 4 });
  });

  test("a record is removed, and the numbers after it closed up", async () => {
    await record(4).delete();
    await move(
      rows.slice(4).map(({ seq }) => seq),
      -1,
    );
    expect(await faultOf()).toMatchObject({ kind: "removed", seq: 4 });
  });

  test("the last record is removed", async () => {
    await record(last()).delete();
    expect(await faultOf()).toMatchObject({ kind: "removed", seq: last() });
  });

  test("a record is inserted", async () => {
    await move(
      rows
        .slice(3)
        .map(({ seq }) => seq)
        .reverse(),
      1,
    );
    const { text, hash } = seal({ ...JSON.parse(rows[3].record), subject: "loan.forged" });
    await knex("audit_records").insert({ ...rows[3], subject: "loan.forged", record: text, hash, signature: null });
    expect(await faultOf()).toMatchObject({ kind: "inserted", seq: 4 });
  });

  test("a record is added at the end", async () => {
    const { hash: previous } = rows.at(-1);
    const seq = last() + 1;
    const { text, hash } = seal({ ...JSON.parse(rows.at(-1).record), seq, previous, subject: "loan.forged" });
    await knex("audit_records").insert({ ...rows.at(-1), seq, subject: "loan.forged", record: text, hash });
    expect(await faultOf()).toMatchObject({ kind: "rewritten", seq });
  });

  test("records change places", async () => {
    await record(4).update({ seq: 1_000_000 });
    await record(5).update({ seq: 4 });
    await record(1_000_000).update({ seq: 5 });
    expect(await faultOf()).toMatchObject({ kind: "reordered", seq: 4 });
  });

  test("a whole partition is removed", async () => {
    await knex("audit_records").where({ partition }).delete();
    await knex("audit_heads").where({ partition }).delete();
    expect(await faultOf()).toMatchObject({ kind: "removed", partition, seq: 1 });
  });

  test("a record is edited and all after it computed anew, without the key", async () => {
    await rewrite(knex, partition, 3);
    const { kind, seq, through = seq } = await faultOf();
    expect(kind).toBe("rewritten");
    expect(seq).toBeLessThanOrEqual(3);
    expect(through).toBeGreaterThanOrEqual(3);
  });

  test("the same after the last checkpoint: it is found, and never signed", async () => {
    const from = last() - 1;
    await rewrite(knex, partition, from);
    const { kind, seq } = await faultOf();
    expect(kind).toBe("rewritten");
    expect(seq).toBeLessThanOrEqual(from);
    await expect(inside(broker).keeper.checkpoint()).rejects.toMatchObject({ type: "AUDIT_BROKEN" });
    expect(await knex("audit_checkpoints")).toHaveLength(1);
  });

  test("the same with another key, which is put beside the real one", async () => {
    const forger = new SigningKey(SigningKey.make());
    await knex("audit_keys").insert({ id: forger.id, public_key: forger.publicPem });
    await rewrite(knex, partition, 3, forger);
    expect(await faultOf()).toMatchObject({ kind: "rewritten", checkpoint: 1 });
    await knex("audit_keys").where({ id: forger.id }).delete();
  });

  test("a checkpoint is edited", async () => {
    const { text } = await knex("audit_checkpoints").first();
    await knex("audit_checkpoints").update({ text: text.replace('"number":1', '"number":1,"x":1') });
    expect(await faultOf()).toMatchObject({ kind: "edited", checkpoint: 1 });
  });

  test("a checkpoint is signed that does not follow on the one before it", async () => {
    const first = await knex("audit_checkpoints").first();
    const { key: _by, ...checkpoint } = checkpointIn(first);
    const forked = { ...checkpoint, number: 2, previous: hashOf("another first one") };
    await knex("audit_checkpoints").insert({ ...first, number: 2, ...new SigningKey(KEY).signCheckpoint(forked) });
    expect(await faultOf()).toMatchObject({ kind: "rewritten", checkpoint: 2 });
  });

  test("a checkpoint is removed", async () => {
    await inside(broker).keeper.checkpoint();
    await knex("audit_checkpoints").where({ number: 1 }).delete();
    expect(await faultOf()).toMatchObject({ kind: "removed", checkpoint: 1 });
    // Without the newest one, the audit looks as it did before that: who signed it knows better.
    await knex("audit_checkpoints").delete();
    expect((await verdictOf(broker)).ok).toBe(true);
    await expect(inside(broker).keeper.checkpoint()).rejects.toMatchObject({ type: "AUDIT_BROKEN" });
  });

  test.each([
    ["no JSON", "garbage"],
    ["null", "null"],
    ["an object that is no record", "{}"],
  ])("a record becomes %s, with its hash: it is named, and the others are still listed", async (_what, text) => {
    await record(3).update({ record: text, hash: hashOf(text) });
    expect(await faultOf()).toMatchObject({ kind: "edited", partition, seq: 3 });
    const { subject } = JSON.parse(rows[2].record);
    const { records } = await broker.call<any, object>("audit.list", { subject });
    expect(records).toContainEqual(expect.objectContaining({ type: "audit.unreadable", partition, seq: 3 }));
  });

  /** A second checkpoint like the first one; the keeper, which would remember it, has not made it. */
  async function addCheckpoint(): Promise<void> {
    const { text, signature, at_ms } = await knex("audit_checkpoints").first();
    const before = { text, signature };
    const previous = checkpointHash(before);
    const next = inside(broker).key.signCheckpoint({ ...checkpointIn(before), number: 2, previous });
    await knex("audit_checkpoints").insert({ number: 2, ...next, at_ms });
  }

  test.each(["garbage", "null", '{"number":1}'])("a checkpoint becomes %s: it is named", async text => {
    await addCheckpoint();
    await knex("audit_checkpoints").where({ number: 1 }).update({ text });
    expect(await faultOf()).toMatchObject({ kind: "edited", checkpoint: 1 });
    await knex("audit_checkpoints").where({ number: 2 }).update({ text });
    expect(await faultOf()).toMatchObject({ kind: "edited", checkpoint: 1 });
    expect(await broker.call<any, object>("audit.status", {})).not.toHaveProperty("checkpoint");
    await expect(inside(broker).keeper.checkpoint()).rejects.toMatchObject({ type: "AUDIT_BROKEN" });
  });

  test("the newest checkpoint cannot be read: it is named", async () => {
    await addCheckpoint();
    await knex("audit_checkpoints").where({ number: 2 }).update({ text: "garbage" });
    expect(await faultOf()).toMatchObject({ kind: "edited", checkpoint: 2 });
  });

  test("a public key cannot be read", async () => {
    const { public_key: kept } = await knex("audit_keys").where({ id: KEY_ID }).first();
    await knex("audit_keys").where({ id: KEY_ID }).update({ public_key: "x" });
    expect(await faultOf()).toMatchObject({ kind: "edited", says: expect.stringContaining("key") });
    await knex("audit_keys").where({ id: KEY_ID }).update({ public_key: kept });
  });

  test("a line of an export is edited; whole it is verified without the database", async () => {
    const lines: string[] = [];
    for await (const line of linesIn(knex)) lines.push(toJson(line));
    const offline = (texts: readonly string[], trusted = [publicPem]) =>
      verify(
        texts.map((text, i): Line => fromJson(text, i + 1)),
        { trusted },
      );
    expect(await offline(lines)).toMatchObject({ ok: true, records: 80, signedBy: [KEY_ID] });
    const stranger = new SigningKey(SigningKey.make()).publicPem;
    expect((await offline(lines, [stranger])).faults[0]).toMatchObject({ kind: "rewritten", checkpoint: 1 });
    const n = lines.findIndex(text => text.includes(`"partition":${partition}`) && text.includes('"seq":3,'));
    const edited = lines.with(n, lines[n]!.replace('"i":', '"i":1'));
    expect((await offline(edited)).faults[0]).toMatchObject({ kind: "edited", partition, seq: 3 });
    expect((await offline(lines.slice(0, -3))).ok).toBe(false);
    // A reader who takes the first of two equal keys would see this.
    const doubled = lines.with(n, lines[n]!.replace('{"record":{', '{"record":{"person":"somebody else",'));
    expect((await offline(doubled)).faults[0]).toMatchObject({ kind: "edited", partition, seq: 3 });
  });

  test("an export that is cut off, or whose lines are in another order, is not proven", async () => {
    const lines: string[] = [];
    for await (const line of linesIn(knex)) lines.push(toJson(line));
    const offline = (texts: readonly string[]) =>
      verify(
        texts.map((text, i): Line => fromJson(text, i + 1)),
        { trusted: [publicPem] },
      );
    const heads = lines.findIndex(text => text.startsWith('{"heads"'));
    for (const end of [0, 1, heads])
      expect((await offline(lines.slice(0, end))).faults).toContainEqual(expect.objectContaining({ kind: "removed" }));
    const [head, records] = [lines.slice(0, heads + 1), lines.slice(heads + 1)];
    // The signatures of commits vouch for what is there, and nothing for its end.
    const keys = head.filter(text => text.startsWith('{"key"'));
    expect((await offline([...keys, ...records])).faults).toEqual([expect.objectContaining({ kind: "removed" })]);
    // Before they are known, checkpoints and heads cannot vouch for the end.
    for (const moved of [
      [...records.slice(0, -3), ...head],
      [...head.slice(0, -1), ...records, head.at(-1)!],
    ])
      expect((await offline(moved)).faults).toContainEqual(expect.objectContaining({ kind: "reordered" }));
    for (const text of ['{"checkpoint":{"text":5}}', '{"heads":5}', '{"record":5,"hash":"x"}', "garbage", "null"])
      expect(() => fromJson(text, 7)).toThrow("line 7 is no line");
    // The same lines page by page, each page as large as the bus carries, cut amid what one read of the database gives.
    const paged: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await exportPage(knex, { cursor, bytesMax: 2_000 });
      expect(page.lines.length === 1 || Buffer.byteLength(page.lines.join("")) <= 2_000).toBe(true);
      expect(page.of).toBe(80);
      paged.push(...page.lines);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    expect(paged).toEqual(lines);
    const { nextCursor = "" } = await exportPage(knex, { cursor: undefined, bytesMax: 1 });
    expect((await broker.call<any, object>("audit.export", { cursor: nextCursor })).lines).toEqual(lines.slice(1, -80));
    await expect(broker.call<any, object>("audit.export", { cursor: "bm9uZQ" })).rejects.toMatchObject({
      type: "VALIDATION_ERROR",
    });
  });
});

describe("reading and removing", () => {
  let house: House;
  afterEach(() => house.stop());

  test("records are listed by subject, actor and time, the newest first, page by page", async () => {
    house = await newBrokers(ENV);
    const [source, members] = [loans(), new Source("members", "member", ["member.joined"])];
    const broker = await house.start(source.schema(), members.schema(), Audit());
    await fill(broker, source, 12, 3);
    members.append("m1", "member.joined");
    await recorded(broker, 13);
    const { records } = await list(broker, { actor: "member" });
    expect(records.map(({ subject }: any) => subject)).toEqual(["member.m1"]);
    const paged = async (filter: object): Promise<string[]> => {
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page: any = await list(broker, { ...filter, ...(cursor && { cursor }) });
        seen.push(...page.records.map(({ subject, version }: any) => `${subject}@${version}`));
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      return seen;
    };
    const seen = await paged({ actor: "loan", limit: 5 });
    expect([seen.length, new Set(seen).size]).toEqual([12, 12]);
    expect(await paged({ subject: "loan.2", limit: 3 })).toEqual([4, 3, 2, 1].map(version => `loan.2@${version}`));
    await knexIn(broker)("audit_records")
      .where({ subject: "loan.1", version: 4 })
      .update({ at: "2999-01-01T00:00:00.000Z" });
    const versions = async (times: object) =>
      (await list(broker, { subject: "loan.1", ...times })).records.map(({ version }: any) => version);
    expect(await versions({})).toEqual([4, ...(await versions({ to: "2999-01-01T00:00:00Z" }))]);
    // Another zone, the same moment.
    expect(await versions({ from: "2999-01-01T01:00:00+01:00" })).toEqual([4]);
    expect(await versions({ from: "2999-01-01T00:00:00.001Z" })).toEqual([]);
    await expect(list(broker, { cursor: "bm9uZQ" })).rejects.toMatchObject({ type: "VALIDATION_ERROR" });
    // An empty list would say that nothing has happened to it.
    const error = await list(broker, { subject: "2" }).catch((error: unknown) => error);
    expect(error).toMatchObject({
      type: "VALIDATION_ERROR",
      data: [{ field: "subject", message: expect.stringContaining("must be the type of an actor and its id") }],
    });
  });

  test("retention removes records up to a signed checkpoint, and the rest is verified as before", async () => {
    house = await newBrokers(ENV);
    const source = loans();
    const broker = await house.start(source.schema(), Audit());
    const { database, key, keeper } = inside(broker);
    const { knex } = database;
    await fill(broker, source, 20);
    await keeper.checkpoint();
    await fill(broker, source, 20);
    const retaining = new Keeper({
      database,
      key,
      anchor: undefined,
      everyMs: 0,
      keptMs: 86_400_000,
      limits: { ...limits, removedAtOnce: 2 },
      holds: async () => true,
      logger: broker.logger,
    });
    expect(await retaining.remove()).toBe(0);
    const { nextCursor } = await exportPage(knex, { cursor: undefined, bytesMax: 1 });
    await knex("audit_checkpoints").where({ number: 1 }).update({ at_ms: 0 });
    expect(await retaining.remove()).toBe(20);
    expect(await retaining.remove()).toBe(0);
    // An export that would lack what was removed says so.
    await expect(exportPage(knex, { cursor: nextCursor, bytesMax: 1 })).rejects.toMatchObject({
      type: "AUDIT_EXPORT_OVERTAKEN",
    });
    await fill(broker, source, 4);
    expect(await verdictOf(broker)).toMatchObject({ ok: true, records: 24, checkpoints: 2 });
    // More than retention has removed is missed.
    const { partition, seq } = await knex("audit_records").orderBy(["partition", "seq"]).first();
    await knex("audit_records").where({ partition, seq }).delete();
    expect((await verdictOf(broker)).faults[0]).toMatchObject({ kind: "removed", partition, seq: Number(seq) });
  });
});
