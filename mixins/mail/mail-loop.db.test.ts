// The loop on a clock of the test's own, with a real database and a real mail server.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { locationOf, type Database } from "../database/index.ts";
import { migrate, openDatabase } from "../database/mixin.ts";
import { minutes, newId, readEnvironment } from "../kernel/index.ts";
import { until } from "../testing/index.ts";
import { Collector, newDatabases, type Databases } from "../testing/servers.ts";
import { startTracing, type Tracing } from "../tracing/index.ts";
import { smtpCarrier, type MailCarrier } from "./carriers.ts";
import { letter } from "./letter.ts";
import { limits } from "./limits.ts";
import { MailDropped, MailHeld, MailLoop, type Letter } from "./mail-loop.ts";
import { header, mailServer, refusal, type MailServer } from "./mail-server.fixture.ts";
import { openMails } from "./open-mails.ts";
import { mailHandings, mailTable, mailTraces, Outbox } from "./outbox.ts";
import { mailServerState } from "./server-state.ts";

const ADA = "ada@example.com";
const LIFE_MS = minutes(24 * 60);

let collector: Collector;
let tracing: Tracing;
let databases: Databases;
let database: Database;
let server: MailServer;
let now: number;
let outbox: Outbox<{ kind: string; book?: string }>;
let told: string[];
/** The span in which each of these lines was told. */
let toldIn: (string | undefined)[];
const tell = (line: string): void => {
  told.push(line);
  toldIn.push(tracing.current()?.traceparent.split("-")[2]);
};
/** The answer of the mail server; 250 takes a mail. */
let answer: number;
/** Done by the server once it has the text of a mail. */
let onText: (socket: Socket) => Promise<void>;
/** Letters that the loop has asked for. */
let asked: number;
let compose: () => Promise<Letter | undefined>;
let loop: MailLoop<{ kind: string; book?: string }>;
beforeAll(async () => {
  collector = await Collector.start();
  tracing = (await startTracing(readEnvironment({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })))!;
});
afterAll(async () => {
  await tracing.stop();
  await collector.stop();
});
beforeEach(async () => {
  databases = await newDatabases();
  database = await openDatabase(locationOf(readEnvironment(databases.env), "desk"));
  await migrate(database, "desk", [
    mailTable("001-mails", table => void table.string("book")),
    mailTraces("002-traces"),
    mailHandings("003-handings"),
  ]);
  now = Date.UTC(2026, 0, 1);
  answer = 250;
  onText = async () => {};
  server = await mailServer({
    onText: socket => onText(socket),
    onRcptTo: ({ address }, _session, done) =>
      done(answer === 250 ? null : refusal(answer, `<${address}> come back another day`)),
  });
  outbox = new Outbox(database, { lifeMs: LIFE_MS, keptMs: 2 * LIFE_MS }, async () => now);
  told = [];
  toldIn = [];
  asked = 0;
  compose = async () => ({ ...letter("Your book", ["It is here."]), to: ADA });
  loop = looping(smtpCarrier(server.env.SMTP_URL));
});
afterEach(async () => {
  await server.stop();
  await database.close();
  await databases.remove();
});

const looping = (carrier: MailCarrier): MailLoop<{ kind: string; book?: string }> =>
  new MailLoop({
    outbox,
    compose: () => {
      asked++;
      return compose();
    },
    carrier,
    from: server.env.MAIL_FROM,
    logger: { info: tell, warn: tell },
  });

/** The loop's turns for so long, each when a mail is due. */
async function pass(ms: number): Promise<void> {
  for (const end = now + ms; now < end;) {
    await loop.turn();
    now = Math.min(end, now + Math.max(1, (await outbox.nextInMs()) ?? Infinity));
  }
}
const row = () => database.knex("mails").first();

test("a server that says 4xx for an hour delays a mail, and loses nothing; the hour is one line of the log", async () => {
  answer = 451;
  const id = newId();
  await outbox.add({ id, kind: "arrived", book: "Middlemarch" });
  await pass(minutes(60));
  expect(server.got).toEqual([]);
  const { attempts, sent_at, failed_at, reason } = await row();
  expect([sent_at, failed_at]).toEqual([null, null]);
  // After 1 s, 2 s, 4 s, …, and every five minutes at last, each less up to half of it.
  expect(attempts).toBeGreaterThan(15);
  expect(attempts).toBeLessThan(40);
  answer = 250;
  await pass(limits.retryMsMax);
  expect(server.got.map(({ to, text }) => [to, header(text, "Message-ID")])).toEqual([
    [[ADA], `<${id}@library.example>`],
  ]);
  expect(Number((await row()).sent_at)).toBeGreaterThan(0);
  expect(told).toEqual(["mails wait: the mail server, EENVELOPE 451"]);
  // Neither the log nor the row has the address, which the server repeats.
  expect(reason).toContain("come back another day");
  expect(JSON.stringify([reason, told])).not.toContain(ADA);
});

test("a refused address is asked for once, however long the loop runs", async () => {
  answer = 550;
  await outbox.add({ kind: "arrived" });
  await pass(minutes(60));
  expect(asked).toBe(1);
  expect(await row()).toMatchObject({ next_at: null, sent_at: null, reason: expect.stringContaining("550") });
});

test("a server that takes its time over a text has the mail once", async () => {
  onText = () => sleep(1_000);
  loop = looping(smtpCarrier(server.env.SMTP_URL, { sendMs: 500, acceptMs: 30_000 }));
  await outbox.add({ kind: "arrived" });
  await pass(minutes(60));
  expect(server.got).toHaveLength(1);
  expect(Number((await row()).sent_at)).toBeGreaterThan(0);
});

test.each(["cuts the connection", "does not answer"])(
  "a server that has the text and %s gets it twice at most",
  async how => {
    onText = how === "does not answer" ? () => sleep(1_500) : async socket => void socket.destroy();
    loop = looping(smtpCarrier(server.env.SMTP_URL, { sendMs: 10_000, acceptMs: 500 }));
    const id = newId();
    await outbox.add({ id, kind: "arrived" });
    await pass(minutes(24 * 60));
    expect(server.got.map(({ text }) => header(text, "Message-ID"))).toEqual(Array(2).fill(`<${id}@library.example>`));
    expect(await row()).toMatchObject({
      next_at: null,
      sent_at: null,
      reason: expect.stringContaining("has the text"),
    });
    expect(told.map(line => line.split("; ").at(-1))).toEqual(["once more in a while", "not again"]);
  },
);

test("a node that is killed while the server has the text sends it once more, and no third time", async () => {
  await outbox.add({ kind: "arrived" });
  const killed = async (): Promise<void> => {
    const [mail] = await outbox.claim(1);
    await outbox.handing(mail!);
    now += limits.leaseMs;
  };
  await killed();
  await pass(minutes(1));
  expect(server.got).toHaveLength(1);
  await outbox.add({ kind: "arrived" });
  await killed();
  await killed();
  await pass(minutes(24 * 60));
  expect(server.got).toHaveLength(1);
  expect(await database.knex("mails").whereNotNull("failed_at")).toMatchObject([{ handed: 2 }]);
});

test("a text of which it cannot be noted that the server gets it does not go there", async () => {
  const mail = {
    ...letter("Your book", ["It is here."]),
    id: newId(),
    from: server.env.MAIL_FROM,
    to: ADA,
    date: new Date(),
  };
  const away = () => Promise.reject(new Error("the database is away"));
  await expect(smtpCarrier(server.env.SMTP_URL).send(mail, away)).rejects.toThrow("database is away");
  expect(server.got).toEqual([]);
});

test("an id that is there already is one mail, also after it was sent", async () => {
  const id = newId();
  await outbox.add({ id, kind: "arrived" });
  await outbox.add({ id, kind: "arrived" });
  await pass(minutes(1));
  await outbox.add({ id, kind: "arrived" });
  await pass(minutes(1));
  expect(server.got).toHaveLength(1);
});

test("a dropped mail keeps its reason, and is not asked for again", async () => {
  compose = async () => {
    throw new MailDropped("the reader has left");
  };
  await outbox.add({ kind: "arrived" });
  await pass(minutes(60));
  expect([asked, server.got]).toEqual([1, []]);
  expect(await row()).toMatchObject({ next_at: null, sent_at: null, reason: "the reader has left" });
  expect(told).toEqual([expect.stringMatching(/^mail [\w-]+ \(arrived\) is not sent: the reader has left$/)]);
});

test("a held mail is looked at ever more seldom, and sent when its reason ends", async () => {
  const held = compose;
  compose = async () => {
    throw new MailHeld("the reader has no card yet");
  };
  await outbox.add({ kind: "arrived" });
  await pass(minutes(6 * 60));
  expect(asked).toBeLessThan(25);
  compose = held;
  await pass(limits.heldMsMax);
  expect(server.got).toHaveLength(1);
  expect(told).toEqual([expect.stringMatching(/^mail [\w-]+ \(arrived\) waits: the reader has no card yet$/)]);
});

test("a held mail is given up at the end of its life, and its row forgotten after a while", async () => {
  compose = async () => {
    throw new MailHeld("the reader has no card yet");
  };
  await outbox.add({ kind: "arrived" });
  now += LIFE_MS;
  await loop.turn();
  expect(await row()).toMatchObject({ next_at: null, sent_at: null, reason: "the reader has no card yet" });
  now += 2 * LIFE_MS;
  await outbox.forgetOld();
  expect(await row()).toBeUndefined();
});

test("a letter that cannot be written now is written later: what it needs is away", async () => {
  const there = compose;
  compose = async () => {
    throw new Error("the catalogue is away");
  };
  await outbox.add({ kind: "arrived" });
  await pass(minutes(10));
  compose = there;
  await pass(limits.retryMsMax);
  expect(server.got).toHaveLength(1);
  expect(told).toEqual(["mails wait: the catalogue is away"]);
});

test("an address with a comma is one recipient, not two", async () => {
  compose = async () => ({ ...letter("Your book", ["It is here."]), to: "x,victim@example.com" });
  await outbox.add({ kind: "arrived" });
  await loop.turn();
  expect(server.got).toHaveLength(1);
  expect(server.got[0]!.to).not.toContain("victim@example.com");
});

test("no letter is written before the services of its process are there", async () => {
  const broker = new ServiceBroker({ logger: false, valence: readEnvironment(server.env) } as object);
  await outbox.add({ kind: "arrived" });
  const early: boolean[] = [];
  const composing = (): Promise<Letter | undefined> => {
    early.push(!broker.started);
    return compose();
  };
  const logger = { info: tell, warn: tell };
  const own = { broker, service: "desk", database, logger, compose: composing, lifeMs: LIFE_MS, keptMs: LIFE_MS };
  const { mails } = openMails(own);
  // Long enough for a loop that would not wait.
  for (let i = 0; i < 10; i++) await outbox.waiting();
  await broker.start();
  await until("the mail", () => server.got.length === 1);
  expect(early).toEqual([false]);
  await mails.stop();
  await broker.stop();
});

test("each attempt is in the trace of the work that asked for the mail; no address is, and to wait for a person is no failure", async () => {
  const id = newId();
  await tracing.within({ name: "lend", parent: null }, () => outbox.add({ id, kind: "arrived" }));
  const sends = compose;
  for (const outcome of ["held", "busy", "sent"]) {
    compose = outcome === "held" ? () => Promise.reject(new MailHeld("no card yet")) : sends;
    answer = outcome === "busy" ? 451 : 250;
    now += LIFE_MS / 10;
    await loop.turn();
  }
  await tracing.flush();
  const [lend] = collector.spans.filter(({ name }) => name === "lend");
  const mails = collector.spans.filter(({ name }) => name === "mail send");
  expect(mails.every(({ trace, parent }) => trace === lend!.trace && parent === lend!.id)).toBe(true);
  expect(mails.map(({ hasFailed, attributes }) => [hasFailed, attributes["error.type"]])).toEqual([
    [false, "MailHeld"],
    [true, "Error"],
    [false, undefined],
  ]);
  expect(toldIn).toEqual([mails[0]!.id, mails[1]!.id]);
  expect(mails[0]!.attributes).toMatchObject({ "messaging.message.id": id, "valence.mail": "arrived" });
  expect(server.got).toHaveLength(1);
  expect(JSON.stringify(collector.spans)).not.toContain(ADA);
});

test("an operator who asks is told how the mail server stands, without its password", async () => {
  expect(await mailServerState(server.env.SMTP_URL)).toMatchObject({ status: "ok" });
  const away = await mailServerState("smtp://desk:s3cret@127.0.0.1:1");
  expect(away).toMatchObject({ status: "FAIL", message: expect.stringContaining("ECONNREFUSED") });
  expect(JSON.stringify(away)).not.toContain("s3cret");
  expect(server.got).toEqual([]);
});
