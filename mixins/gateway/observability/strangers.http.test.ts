// The endpoints for operators are closed to strangers, and each attempt has a line in the security log.
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { newId, Refusal } from "../../kernel/index.ts";
import { startLibrary, type Library } from "../library.fixture.ts";
import { limits } from "../limits.ts";
import { accountMark, SecurityLog } from "./security-log.ts";

const METRICS_TOKEN = "a-token-for-prometheus";
let gateway: Library;
let ann: { id: string; token: string };
let admin: string;
const lines: string[] = [];

beforeAll(async () => {
  gateway = await startLibrary(
    {
      "accounts.login": ({ params: { email } }) => {
        if (email.startsWith("often")) throw new Refusal("TOO_MANY_ATTEMPTS", { status: 429, retryAfterMs: 1_000 });
        throw new Refusal("BAD_CREDENTIALS", { status: 401, message: "e-mail or password is wrong" });
      },
      "accounts.register": () => {
        throw new Refusal("EMAIL_TAKEN", { field: "email" });
      },
    },
    [],
    { METRICS_TOKEN },
  );
  const id = newId();
  ann = { id, token: await gateway.token(id) };
  admin = await gateway.token(newId(), ["admin"]);
  gateway.service.logger.warn = (line: string) => void lines.push(line);
});
afterAll(() => gateway.stop());
beforeEach(() => {
  lines.length = 0;
});

describe("endpoints for operators", () => {
  test("/metrics asks for an administrator, or for METRICS_TOKEN", async () => {
    const statusOf = async (token?: string) =>
      (await gateway.http("GET", "/metrics", token === undefined ? {} : { token })).status;
    expect(await statusOf()).toBe(401);
    expect(await statusOf(`${METRICS_TOKEN}x`)).toBe(401);
    expect(await statusOf(ann.token)).toBe(403);
    expect(await statusOf(admin)).toBe(200);
    expect(await statusOf(METRICS_TOKEN)).toBe(200);
    const refused = await gateway.http("GET", "/metrics");
    expect([refused.json.type, refused.text]).toEqual([
      "/problems/unauthenticated",
      expect.not.stringMatching("process_"),
    ]);
  });

  test("METRICS_TOKEN opens nothing else", async () => {
    expect((await gateway.http("POST", "/api/v1/staff/loans/x/report", { token: METRICS_TOKEN })).status).toBe(401);
    expect((await gateway.http("GET", "/openapi.json", { token: METRICS_TOKEN })).status).toBe(401);
  });

  test("/openapi.json describes to each user the routes that they may use", async () => {
    const pathsOf = async (call: { token?: string }) => {
      const { json, headers } = await gateway.http("GET", "/openapi.json", call);
      expect(headers.get("vary")).toMatch(/^Authorization, /);
      return { all: JSON.stringify(json), paths: Object.keys(json.paths) };
    };
    const strangers = await pathsOf({});
    const everything = await pathsOf({ token: admin });
    expect(strangers.paths).toContain("/api/v1/loans");
    expect(strangers.all).not.toMatch(/\/staff\/|"(create|update|remove)Book"/);
    expect((await pathsOf({ token: ann.token })).all).toBe(strangers.all);
    expect(everything.paths).toContain("/api/v1/staff/loans/{id}/report");
    expect((await gateway.http("GET", "/openapi.json", { token: "x.y.z" })).status).toBe(401);
  });
});

describe("a line in the log", () => {
  const expectLine = (pattern: RegExp) => {
    expect(lines).toEqual([expect.stringMatching(pattern)]);
    expect(lines[0]).not.toMatch(/secret-|@|eyJ/);
  };
  const login = (email: string) =>
    gateway.http("POST", "/api/v1/auth/login", { body: { email, password: "secret-password" } });

  test("for a failed log-in: a mark of the account, the address, and the request", async () => {
    const { headers, json } = await login("Eve@Example.com");
    expect([json.status, headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    expectLine(
      new RegExp(
        `^refused 401 bad-credentials: POST /api/v1/auth/login, account ${accountMark("eve@example.com")}, ` +
          `from \\S*127\\.0\\.0\\.1, request ${json.requestId}$`,
      ),
    );
  });

  test("for an attempt too many", async () => {
    await login("often@example.com");
    expectLine(/^refused 429 too-many-attempts: POST \/api\/v1\/auth\/login, account [0-9a-f]{12}, /);
  });

  test("for 401, and for 403 with the user", async () => {
    await gateway.http("GET", `/api/v1/loans/${newId()}`, { token: "secret-token" });
    expectLine(/^refused 401 invalid-token: GET \/api\/v1\/loans\/:id, from /);
    lines.length = 0;
    await gateway.http("POST", "/api/v1/staff/loans/x/report", { token: ann.token });
    expectLine(new RegExp(`^refused 403 forbidden: POST /api/v1/staff/loans/:id/report, user ${ann.id}, from `));
    lines.length = 0;
    await gateway.http("GET", "/metrics");
    expectLine(/^refused 401 unauthenticated: GET \/metrics, from /);
  });

  test("for a registration with an e-mail address that is taken", async () => {
    const body = { email: "taken@example.com", password: "secret-password", name: "T" };
    const { status, json } = await gateway.http("POST", "/api/v1/auth/register", { body });
    expect([status, json.type]).toEqual([409, "/problems/email-taken"]);
    expectLine(/^refused 409 email-taken: POST \/api\/v1\/auth\/register, account [0-9a-f]{12}, /);
  });

  test("for nothing else", async () => {
    await gateway.http("GET", "/nothing");
    await gateway.http("GET", "/api/v1/books?page=0");
    expect(lines).toEqual([]);
  });
});

test("lines come at a bounded rate, and further ones are counted", () => {
  jest.useFakeTimers();
  try {
    const said: string[] = [];
    const log = new SecurityLog(line => said.push(line));
    for (let i = 0; i < limits.securityLinesMax + 5; i++) log.tell(`line ${i}`);
    expect(said).toHaveLength(limits.securityLinesMax);
    jest.advanceTimersByTime(limits.securityWindowMs);
    expect(said.at(-1)).toBe(`refused 5 more requests within ${limits.securityWindowMs} ms`);
    log.tell("another");
    jest.advanceTimersByTime(limits.securityWindowMs);
    expect(said.slice(limits.securityLinesMax + 1)).toEqual(["another"]);
  } finally {
    jest.useRealTimers();
  }
});
