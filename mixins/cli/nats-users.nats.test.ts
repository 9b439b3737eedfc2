// The users that `valence nats-conf` writes, on a real server: what a role needs it may do, and what the holder of its
// password tries beyond that reaches neither a stream nor the bus.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { AckPolicy, connect, DeliverPolicy, ErrorCode, type NatsConnection } from "nats";
import { natsOptions } from "../kernel/index.ts";
import { Channel } from "../stream/carriers/jetstream/channel.ts";
import { jetStreamOf, type JetStream } from "../stream/carriers/jetstream/connection.ts";
import { publishAll } from "../stream/carriers/jetstream/publish.ts";
import { JetStreamTail } from "../stream/carriers/jetstream/tail.ts";
import { ensureStream } from "../stream/ingress/inlets/ensure-stream.ts";
import { until } from "../testing/index.ts";
import { Nats } from "../testing/servers.ts";
import { ACCOUNT, MIGRATE, natsUsers, passwordVariable } from "./nats-users.ts";

const NAMESPACE = "library";
/** A stream of somebody outside, whose messages `core` takes. */
const printer = { stream: "PRINTER", subject: "printer.deliveries" };
const ROLES = {
  core: { owns: ["loans"], reads: ["members"], takes: [printer] },
  people: { owns: ["members"], reads: [], takes: [] },
  reports: { owns: [], reads: ["loans"], takes: [] },
};
const AUDITOR = "auditor";
const loans = new Channel(NAMESPACE, "loans");
const members = new Channel(NAMESPACE, "members");

let nats: Nats;
const users = new Map<string, JetStream>();
/** Subjects that a node of `people` has heard. */
const heard: string[] = [];

const connected = (user: string): Promise<NatsConnection> =>
  connect(natsOptions(`nats://${user}:pw@127.0.0.1:${nats.port}`));
const by = (user: string): JetStream => users.get(user)!;

beforeAll(async () => {
  const names = [...Object.keys(ROLES), MIGRATE];
  const passwords = names.map(name => `${passwordVariable(name)}: pw\n`).join("");
  // Nobody is logged in to the account of JetStream but this test, to see what is in it.
  const auditor = `jetstream: enabled\n users: [{ user: ${AUDITOR}, password: pw }]`;
  nats = await Nats.start(passwords + natsUsers(ROLES, NAMESPACE).replace("jetstream: enabled", auditor));
  for (const name of names) users.set(name, await jetStreamOf(await connected(name), ACCOUNT));
  users.set(AUDITOR, await jetStreamOf(await connected(AUDITOR), undefined));
  by("people").nats.subscribe(`MOL-${NAMESPACE}.*.people.>`, {
    callback: (_error, { subject }) => void heard.push(subject),
  });
});
afterAll(async () => {
  for (const { nats: connection } of users.values()) await connection.close();
  await nats.stop();
});

/** A page of the log with one event, the nth. */
const message = (n: number) => ({
  subject: loans.subjectOf({ actor: "loan", stream: "1" }),
  id: `${n}`,
  text: JSON.stringify({ origin: "log", after: `${n - 1}`, upTo: `${n}`, index: 1, count: 1 }),
});
const publish = (user: string, channel: Channel, subject: string, text = "{}") =>
  publishAll(by(user).nats, channel.name, [{ subject, id: `${Math.random()}`, text }], 2_000);
/** Bodies are as the server's clients send them. */
const ask = async (user: string, call: string, body: object = {}, api = `$JS.${ACCOUNT}.API`): Promise<any> =>
  (await by(user).nats.request(`${api}.${call}`, JSON.stringify(body), { timeout: 2_000 })).json();
const isDenied = (work: Promise<unknown>) =>
  expect(work).rejects.toMatchObject({ code: expect.stringMatching(`^(${ErrorCode.PermissionsViolation}|503)$`) });
const streams = async () => (await by(AUDITOR).manager.streams.list().next()).map(({ config }) => config.name);
const messagesIn = async ({ name }: Channel) => (await by(AUDITOR).manager.streams.info(name)).state.messages;

test("a stream that nobody has made is missing: a role says so, and the user migrate makes it", async () => {
  await expect(loans.ensure(by("core").manager)).rejects.toMatchObject({ type: "STREAM_MISSING" });
  for (const channel of [loans, members]) expect(await channel.ensure(by(MIGRATE).manager)).toBe(true);
  expect(await loans.ensure(by("core").manager)).toBe(true);
});

test("a stream with the bounds of another release is noticed by its owner, and mended by migrate", async () => {
  await by(AUDITOR).manager.streams.update(loans.name, { max_bytes: 1_000_000 });
  expect(await loans.ensure(by("core").manager)).toBe(false);
  expect(await loans.ensure(by(MIGRATE).manager)).toBe(true);
  expect(await loans.ensure(by("core").manager)).toBe(true);
});

test("an owner publishes to its log, and a role whose services take the events reads them", async () => {
  const tail = new JetStreamTail(by("reports"), loans, () => {});
  await until("the tail flows", () => tail.state === "flowing");
  await publishAll(by("core").nats, loans.name, [message(1), message(2)], 2_000);
  await until("both have come", () => tail.size === 2);
  tail.close();
});

test("a stream from outside is made by migrate, and read by the role that takes its messages alone", async () => {
  await expect(ensureStream(by("core").manager, printer)).rejects.toMatchObject({ type: "STREAM_MISSING" });
  await ensureStream(by(MIGRATE).manager, printer);
  expect((await ensureStream(by("core").manager, printer)).config.subjects).toEqual([printer.subject]);
  const name = "reader";
  const config = { name, ack_policy: AckPolicy.None, filter_subject: printer.subject, mem_storage: true };
  for (const role of ["people", "reports"]) {
    await isDenied(by(role).manager.streams.info(printer.stream));
    await isDenied(by(role).manager.consumers.add(printer.stream, config));
  }
  await by("core").manager.consumers.add(printer.stream, config);
  for (const role of Object.keys(ROLES))
    await isDenied(by(role).nats.request(printer.subject, "{}", { timeout: 2_000 }));
});

test("no role makes, changes, empties, reads out or removes a stream, its own neither", async () => {
  const calls = ["CREATE", "UPDATE", "PURGE", "DELETE", "SNAPSHOT", "RESTORE", "MSG.GET", "MSG.DELETE"];
  for (const role of Object.keys(ROLES))
    for (const { name } of [loans, members, new Channel(NAMESPACE, "else")])
      for (const call of calls) await isDenied(ask(role, `STREAM.${call}.${name}`, { name, subjects: [">"], seq: 1 }));
  for (const call of ["STREAM.NAMES", "STREAM.LIST", "INFO", `DIRECT.GET.${loans.name}`, `CONSUMER.LIST.${loans.name}`])
    await isDenied(ask("core", call));
  await isDenied(ask("core", "STREAM.CREATE.mine", { name: "mine", subjects: [`MOL-${NAMESPACE}.>`] }, "$JS.API"));
  await isDenied(by("reports").nats.request(message(3).subject, "{}", { timeout: 2_000 }));
});

test("a role reads the streams that its services take, and no others, whatever a request's body says", async () => {
  const config = { name: "spy", ack_policy: AckPolicy.None, deliver_policy: DeliverPolicy.All };
  const create = (role: string, form: string, stream: string, more: object = {}) =>
    ask(role, `CONSUMER.${form}`, { stream_name: stream, config: { ...config, ...more }, action: "create" });
  const filter = { filter_subject: members.subjects };
  for (const form of [
    `CREATE.${members.name}`,
    `CREATE.${members.name}.spy`,
    `CREATE.${members.name}.spy.${members.subjects}`,
    `DURABLE.CREATE.${members.name}.spy`,
  ])
    await isDenied(create("reports", form, members.name, filter));
  const permitted = `CREATE.${loans.name}.spy.${loans.subjects}`;
  expect((await create("reports", permitted, members.name, filter)).error).toBeDefined();
  expect((await create("reports", permitted, loans.name, filter)).error).toBeDefined();
  await isDenied(ask("reports", `CONSUMER.MSG.NEXT.${members.name}.spy`));
  await isDenied(ask("core", `CONSUMER.DELETE.${members.name}.spy`));
});

test("nothing that JetStream sends by itself reaches the bus, another log, or JetStream's own requests", async () => {
  await publish("people", members, members.subjects.replace("*", "1"));
  const known = [await streams(), await messagesIn(loans), await messagesIn(members)];
  // A message that is the body of a request.
  const stolen = { name: "stolen", subjects: ["stolen.>"] };
  await publish("people", members, members.subjects.replace("*", "2"), JSON.stringify(stolen));
  const targets = [
    `MOL-${NAMESPACE}.RES.people.1`,
    loans.subjects.replace("*", "3"),
    ...[`$JS.API`, `$JS.${ACCOUNT}.API`].flatMap(api => [
      `${api}.STREAM.CREATE.stolen`,
      `${api}.STREAM.PURGE.${loans.name}`,
    ]),
  ];
  for (const [i, target] of targets.entries()) {
    const make = (name: string, more: object) =>
      ask("core", `CONSUMER.CREATE.${members.name}.${name}.${members.subjects}`, {
        stream_name: members.name,
        config: { name, ack_policy: AckPolicy.None, filter_subject: members.subjects, ...more },
        action: "create",
      });
    expect((await make(`push${i}`, { deliver_subject: target })).error).toBeUndefined();
    expect((await make(`pull${i}`, {})).error).toBeUndefined();
    // The answers to a request go wherever its sender asks for: a subject that people hear gets rubbish, a request is none.
    const isHeard = target.startsWith("MOL");
    if (!isHeard)
      by("core").nats.publish(
        `$JS.${ACCOUNT}.API.CONSUMER.MSG.NEXT.${members.name}.pull${i}`,
        JSON.stringify({ batch: 2, no_wait: true }),
        { reply: target },
      );
  }
  // A stream of the one user who may make some takes nothing from the bus either.
  const capture = { name: loans.name, subjects: [loans.subjects, `MOL-${NAMESPACE}.>`] };
  expect((await ask(MIGRATE, `STREAM.UPDATE.${loans.name}`, capture)).error).toBeUndefined();
  by("core").nats.publish(`MOL-${NAMESPACE}.REQ.people.1`, "a call");
  await until("the call is heard", () => heard.includes(`MOL-${NAMESPACE}.REQ.people.1`));
  // Messages that were sent before this one have arrived.
  await publish("people", members, members.subjects.replace("*", "1"));
  expect([await streams(), await messagesIn(loans), await messagesIn(members)]).toEqual([
    known[0],
    known[1],
    (known[2] as number) + 2,
  ]);
  expect(heard).toEqual([`MOL-${NAMESPACE}.REQ.people.1`]);
});
