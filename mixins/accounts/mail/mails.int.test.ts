// Mails over a real mail server: delivered, put off, refused, away, and a node that is killed in between.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { brokerOptions } from "../../broker/index.ts";
import { typedCall } from "../../contract/index.ts";
import type { Database } from "../../database/index.ts";
import { readEnvironment } from "../../kernel/index.ts";
import { until } from "../../testing/index.ts";
import { newDatabases, type Databases } from "../../testing/servers.ts";
import { Accounts } from "../accounts.ts";
import { accountsContract } from "../contract.ts";
import { FROM, header, mailServer, refusal } from "../../mail/mail-server.fixture.ts";
import { limits } from "../limits.ts";

let databases: Databases;
const ends: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  databases = await newDatabases();
});
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
  await databases.remove();
});

/** A mail server that ends with the test. */
async function serving(...args: Parameters<typeof mailServer>) {
  const server = await mailServer(...args);
  ends.push(server.stop);
  return server;
}

const smtp = (port: number) => ({ SMTP_URL: `smtp://127.0.0.1:${port}`, MAIL_FROM: FROM });
async function start(env: Record<string, string> = {}) {
  const broker = new ServiceBroker({ ...brokerOptions(readEnvironment({ ...databases.env, ...env })), logger: false });
  const warned: string[] = [];
  broker.createService({
    name: "accounts",
    mixins: [Accounts(accountsContract({ roles: ["guest"] }), { firstAdministrator: () => false })],
    created() {
      this.logger.warn = jest.fn((line: string) => void warned.push(line));
    },
  });
  await broker.start();
  ends.push(() => broker.stop());
  const { database } = broker.getLocalService("accounts") as unknown as { database: Database };
  return { call: typedCall(broker), warned, database, broker };
}
const ada = { email: "ada@example.com", password: "correct horse", name: "Buy <b>gold</b> at http://gold.example" };
const tokenIn = (mail: string) => /^([\w-]{43})$/m.exec(mail)![1]!;

test("a registration is mailed a token, with a link where an address is configured; the token verifies the address once", async () => {
  const { got, port } = await serving();
  const { call, database, warned } = await start({ ...smtp(port), PUBLIC_URL: "https://library.example" });
  const { id, emailVerified } = await call("accounts.register", ada);
  expect(emailVerified).toBe(false);
  const [mail] = await until(
    () => got,
    got => got.length === 1,
  );
  expect(mail!.to).toEqual(["ada@example.com"]);
  const token = tokenIn(mail!.text);
  expect(mail!.text.replaceAll("=\n", "")).toContain(`https://library.example/verify-email#token=`);
  expect([header(mail!.text, "From"), header(mail!.text, "To"), header(mail!.text, "Auto-Submitted")]).toEqual([
    FROM,
    "ada@example.com",
    "auto-generated",
  ]);
  // Neither the name of a stranger nor what it advertises is in the mail.
  expect(mail!.text).not.toContain("gold");
  const [row] = await until(
    () => database.knex("mails"),
    rows => rows[0].sent_at !== null,
  );
  expect(header(mail!.text, "Message-ID")).toBe(`<${row.id}@library.example>`);
  expect(JSON.stringify([await database.knex("mails"), await database.knex("mailed_tokens"), warned])).not.toContain(
    token,
  );

  await call("accounts.verifyEmail", { token });
  expect((await call("accounts.get", { id })).emailVerified).toBe(true);
  await expect(call("accounts.verifyEmail", { token })).rejects.toMatchObject({ type: "TOKEN_USED", code: 422 });
});

test("a mail that the server puts off is sent later, and another one does not wait for it", async () => {
  let isBusy = true;
  const { got, port } = await serving({
    onRcptTo({ address }, _session, done) {
      done(isBusy && address === ada.email ? refusal(451, "come back later") : null);
    },
  });
  const { call, warned, database } = await start(smtp(port));
  await call("accounts.register", ada);
  await until("it was tried twice", async () => (await database.knex("mails").first()).attempts >= 2);
  await call("accounts.register", { ...ada, email: "bob@example.com" });
  await until("the other's arrives", () => got.length === 1);
  expect(got[0]!.to).toEqual(["bob@example.com"]);
  isBusy = false;
  await until("it arrives", () => got.length === 2);
  expect(got[1]!.to).toEqual([ada.email]);
  // One line for the outage, without the address.
  expect(warned.filter(line => line.includes("mails wait"))).toContain("mails wait: the mail server, EENVELOPE 451");
  expect(warned.join("\n")).not.toContain(ada.email);
});

test("mails wait for a server that is away", async () => {
  const { port, stop } = await serving();
  await stop();
  const { call, database } = await start(smtp(port));
  await call("accounts.register", ada);
  await until("it was tried", async () => (await database.knex("mails").first()).reason !== null);
  const { got } = await serving({}, port);
  await until("it arrives", () => got.length === 1);
  await until("it is marked", async () => (await database.knex("mails").first()).sent_at !== null);
});

test("a mail that the server refuses for good is given up, with its words as the reason", async () => {
  const { port } = await serving({
    onRcptTo(_address, _session, done) {
      done(refusal(550, "no such mailbox"));
    },
  });
  const { call, database, warned } = await start(smtp(port));
  await call("accounts.register", ada);
  const row = await until(
    () => database.knex("mails").first(),
    ({ failed_at }) => failed_at !== null,
  );
  expect(row).toMatchObject({ next_at: null, sent_at: null, attempts: 1, reason: expect.stringContaining("550") });
  expect(warned).toEqual([expect.stringMatching(/^mail [\w-]+ \(verify-email\) is refused for good/)]);
});

test("a refused log-in at the server, or a refused sender, puts mails off: the operator can correct it", async () => {
  const { port } = await serving({
    authOptional: false,
    allowInsecureAuth: true,
    onAuth(_auth, _session, done) {
      done(refusal(535, "wrong password"));
    },
  });
  const { call, database } = await start({ ...smtp(port), SMTP_URL: `smtp://library:wrong@127.0.0.1:${port}` });
  await call("accounts.register", ada);
  const row = await until(
    () => database.knex("mails").first(),
    ({ attempts }) => attempts >= 2,
  );
  expect(row.failed_at).toBeNull();
});

test("a node that is killed between the server's yes and its own note: the next sends once more, under the same Message-ID", async () => {
  let child: ReturnType<typeof spawn> | undefined;
  // The mail is taken; the node dies before it hears of it.
  const { got, port } = await serving({ taken: count => void (count === 1 && child!.kill("SIGKILL")) });
  const env = { ...databases.env, ...smtp(port), PATH: process.env["PATH"]! };
  child = spawn(process.execPath, [join(import.meta.dirname, "registers.fixture.ts")], { env, stdio: "inherit" });
  await once(child, "exit");
  expect(child.signalCode).toBe("SIGKILL");
  expect(got).toHaveLength(1);

  const { call, database } = await start(smtp(port));
  const { sent_at, next_at } = await database.knex("mails").first();
  expect([sent_at, next_at === null]).toEqual([null, false]);
  // Its half minute ends.
  await database.knex("mails").update({ next_at: 0 });
  await call("accounts.forgotPassword", { email: "nobody@example.com" });
  await until("it is sent again", async () => (await database.knex("mails").whereNull("sent_at")).length === 0);
  expect(got).toHaveLength(2);
  expect(header(got[1]!.text, "Message-ID")).toBe(header(got[0]!.text, "Message-ID"));
  // Mailboxes drop the second: so the first one's token works.
  await call("accounts.verifyEmail", { token: tokenIn(got[0]!.text) });
});

test("two nodes on one database send each mail once", async () => {
  const { got, port } = await serving();
  const { call } = await start(smtp(port));
  await start(smtp(port));
  const people = Array.from({ length: 12 }, (_, n) => `person${n}@example.com`);
  for (const email of people) await call("accounts.register", { ...ada, email });
  await until("all arrive", () => got.length >= people.length);
  expect(got.flatMap(({ to }) => to).toSorted()).toEqual(people.toSorted());
});

test("without a server each mail is a file that only its owner can read, and so is its folder", async () => {
  const { call } = await start();
  await call("accounts.register", ada);
  const folder = join(databases.folder, "mail");
  const [name] = await until(
    () => readdir(folder).catch(() => [] as string[]),
    files => files.some(file => file.endsWith(".eml")),
  );
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect((await stat(join(folder, name!))).mode & 0o777).toBe(0o600);
  const mail = await readFile(join(folder, name!), "utf8");
  expect(mail).toContain("Subject: Verify your e-mail address");
  await call("accounts.verifyEmail", { token: tokenIn(mail) });
});

test("a folder that cannot be written is told by name, and mails wait for it", async () => {
  const folder = join(databases.folder, "mail");
  await writeFile(folder, "");
  const { call, warned } = await start();
  await call("accounts.register", ada);
  await until("it is told", () => warned.some(line => /^mails wait: E[A-Z]+: .*mail'/.test(line)));
  await rm(folder);
  await until("it is written", async () => (await readdir(folder).catch(() => [])).some(name => name.endsWith(".eml")));
});

test("a mail that cannot be sent for a day is given up", async () => {
  const { port, stop } = await serving();
  await stop();
  const { call, database, warned } = await start(smtp(port));
  await call("accounts.register", ada);
  await until("it was tried", async () => (await database.knex("mails").first()).reason !== null);
  await database.knex("mails").update({ created_at: Date.now() - limits.mailLifeMs, next_at: 0 });
  await call("accounts.forgotPassword", { email: "nobody@example.com" });
  await until("it is given up", async () => (await database.knex("mails").whereNotNull("failed_at")).length === 1);
  expect(warned.at(-1)).toMatch(/^mail [\w-]+ \(verify-email\) is given up, it is too old: the mail server, ESOCKET/);
});
