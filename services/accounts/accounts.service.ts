// Users, log-in and the keys that sign access tokens. Passwords, hashes and refresh tokens never reach a log or an error.
import { defineService, type Context } from "../../mixins/contract/index.ts";
import { Sql } from "../../mixins/database/mixin.ts";
import { environmentOf, isRefusal, Refusal, systemClock } from "../../mixins/kernel/index.ts";
import {
  fallingBack,
  MemoryCounter,
  RedisCounter,
  redisOf,
  type Counter,
  type RedisConnection,
} from "../../mixins/redis/index.ts";
import { contract } from "./contract.ts";
import { limits } from "./limits.ts";
import { LoginAttempts } from "./login-attempts.ts";
import { Passwords } from "./passwords.ts";
import { openSigner, type Signer } from "./signing-keys.ts";
import { RedisSessions } from "./redis-sessions.ts";
import { sessionTables, SqlSessions } from "./sql-sessions.ts";
import type { SessionStore } from "./session-store.ts";
import { emailKeys, normalEmail, userTable, Users, type Person } from "./users.ts";

interface Accounts {
  users: Users;
  sessions: SessionStore;
  signer: Signer;
  passwords: Passwords;
  attempts: LoginAttempts;
}

export default defineService(contract, {
  mixins: [Sql({ migrations: [userTable, sessionTables, emailKeys] })],

  created() {
    this.passwords = new Passwords();
  },
  async started() {
    const redis = redisOf(this.broker);
    await redis?.tried;
    this.users = new Users(this.database, systemClock);
    await this.users.completeKeys();
    this.sessions = redis ? new RedisSessions(redis) : new SqlSessions(this.database);
    this.attempts = new LoginAttempts(failedLogins(redis, environmentOf(this.broker).workers));
    this.signer = await openSigner(this.database, environmentOf(this.broker).tokenIssuer);
  },

  actions: {
    async register(this: Accounts, { params: { email, password, name } }) {
      // Before hashing, for the answer's sake; the unique index decides.
      if (await this.users.byEmail(email)) throw new Refusal("EMAIL_TAKEN", { field: "email" });
      const passwordHash = await this.passwords.hash(password);
      return this.users.add({ email, name, roles: ["customer"], passwordHash });
    },

    async login(this: Accounts, { params: { email, password } }) {
      const account = normalEmail(email);
      await this.attempts.check(account);
      const user = await this.users.byEmail(email);
      if (!(await this.passwords.verify(user?.passwordHash, password)) || !user) {
        await this.attempts.failed(account);
        throw new Refusal("BAD_CREDENTIALS", { status: 401, message: "e-mail or password is wrong" });
      }
      await this.attempts.succeeded(account);
      if (await this.passwords.isOfOlderForm(user.passwordHash, password))
        await this.users.replaceHash(user, await this.passwords.hash(password));
      return tokens(this.signer, user.person, await this.sessions.open(user.person.id));
    },

    async refresh(this: Accounts, { params: { refreshToken } }) {
      const next = await this.sessions.rotate(refreshToken);
      const user = next && (await this.users.byId(next.user));
      if (!user) throw new Refusal("BAD_REFRESH_TOKEN", { status: 401, message: "log in again" });
      return tokens(this.signer, user.person, next.token);
    },

    async logout(this: Accounts, { params: { refreshToken } }) {
      await this.sessions.revoke(refreshToken);
      return { loggedOut: true };
    },

    get: {
      repeatable: true,
      async handler(this: Accounts, ctx) {
        const user = mayRead(ctx) ? await this.users.byId(ctx.params.id) : undefined;
        if (!user) throw new Refusal("USER_NOT_FOUND", { field: "id" });
        return user.person;
      },
    },

    async seedAdmin(this: Accounts, { params: { email, password } }) {
      const passwordHash = await this.passwords.hash(password);
      if (!(await this.users.byEmail(email)))
        try {
          await this.users.add({ email, name: "Administrator", roles: ["admin", "customer"], passwordHash });
        } catch (error) {
          // Another start of the same shop was quicker; or somebody who registered.
          if (!isRefusal(error)) throw error;
        }
      const { person } = (await this.users.byEmail(email))!;
      const isAdmin = person.roles.includes("admin");
      if (isAdmin) await this.users.setPassword(person.id, passwordHash);
      return { taken: !isAdmin };
    },

    jwks: {
      repeatable: true,
      handler(this: Accounts) {
        return this.signer.jwks;
      },
    },
  },
});

/** Of all processes, in Redis; without it each takes its share. */
function failedLogins(redis: RedisConnection | undefined, processes: number): Counter {
  const { failedLoginsWindowMs: windowMs, failedLoginAccountsMax: keysMax } = limits;
  const memory = new MemoryCounter({ windowMs, keysMax, processes, clock: systemClock });
  return redis ? fallingBack(new RedisCounter(redis, "failed-logins", windowMs), memory) : memory;
}

const tokens = async (signer: Signer, user: Person, refreshToken: string) => ({
  accessToken: await signer.sign(user),
  refreshToken,
  expiresIn: limits.accessTokenSeconds,
  user,
});

/** A person sees their own account, an administrator all; another's does not exist. */
function mayRead({ meta, params }: Context<{ id: string }>): boolean {
  return !meta.user || meta.user.id === params.id || meta.user.roles.includes("admin");
}
