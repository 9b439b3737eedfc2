// The keys that sign access tokens, kept in the accounts database, and their rotation. Two promises: nobody is logged
// out by a rotation, and a private key never leaves the service.
//
// A node reads the table again when its copy is older than half a minute, and does what is due then: it publishes the
// next key by the calendar, and deletes dropped ones. So a rotation needs no leader and no timer; a service that
// nobody asks has nothing to rotate.
import { importJWK, SignJWT, type CryptoKey } from "jose";
import type { Knex } from "knex";
import type { Database } from "../../database/index.ts";
import { newId, rfc3339, systemClock, type Clock } from "../../kernel/index.ts";
import type { SigningKey } from "../contract.ts";
import { limits } from "../limits.ts";
import { dueAt, statesAt, type KeyState } from "./key-states.ts";
import { addKey, ALGORITHM, newKeyPair, readKeys, type KeyPair } from "./key-table.ts";

export interface SigningKeysOptions {
  readonly database: Database;
  /** Issuer and audience of the tokens. */
  readonly issuer: string;
  /** Milliseconds between two keys by the calendar; 0 = never. */
  readonly everyMs: number;
  /** Called with a line of the log about each new key. */
  readonly say: (line: string) => void;
  /** For tests. */
  readonly clock?: Clock;
  /** Milliseconds since the epoch, for tests. Default: on the database's clock. */
  readonly now?: (within: Knex) => Promise<number>;
}

/** The keys as a node has read them. */
interface Copy {
  readonly keys: readonly KeyPair[];
  readonly databaseNow: number;
  /** On this node's monotonic clock. */
  readonly readAt: number;
}
/** The person that a token speaks of. */
interface Subject {
  readonly id: string;
  readonly roles: readonly string[];
}
/** Further claims of a token. */
export interface TokenOptions {
  /** The session that it belongs to. */
  readonly session?: string | undefined;
  /** Permissions that it is narrowed to. */
  readonly scopes?: readonly string[] | undefined;
  /** Id of the API key that it is given for. */
  readonly key?: string | undefined;
  /** Its life. Default: that of a log-in's. */
  readonly seconds?: number | undefined;
}

export class SigningKeys {
  readonly #options: Required<SigningKeysOptions>;
  readonly #imported = new Map<string, Promise<CryptoKey>>();
  #copy: Copy | undefined;
  #reading: Promise<Copy> | undefined;

  constructor(options: SigningKeysOptions) {
    const { database } = options;
    this.#options = { clock: systemClock, now: within => database.now(within), ...options };
  }

  /** Makes the first key, which signs at once: no token is older. Processes that start together share it. */
  async open(): Promise<void> {
    const pair = await newKeyPair();
    await this.#inTurn(async (trx, now, keys) => {
      if (keys.length === 0) await addKey(trx, { ...pair, publishedAt: now, signsFrom: now });
    });
    await this.#read();
  }

  /** The public keys that verify, RFC 7517. The one that signs is the first. */
  async jwks(): Promise<{ keys: Record<string, unknown>[] }> {
    const keys = await this.#states();
    const isSigning = ({ state }: KeyState): boolean => state === "signing";
    return {
      keys: [...keys.filter(isSigning), ...keys.filter(key => !isSigning(key))].map(({ publicJwk, kid }) => ({
        ...publicJwk,
        kid,
        alg: ALGORITHM,
        use: "sig",
      })),
    };
  }

  /** An access token, RFC 9068. `session` becomes the claim `sid`: a person sees which of their sessions is this one; `key` becomes `client_id`. */
  async sign({ id, roles }: Subject, options: TokenOptions = {}): Promise<string> {
    const { session, scopes, key, seconds = limits.accessTokenSeconds } = options;
    const { kid, privateJwk } = (await this.#states()).find(({ state }) => state === "signing")!;
    let signing = this.#imported.get(kid);
    if (!signing) this.#imported.set(kid, (signing = importJWK(privateJwk, ALGORITHM) as Promise<CryptoKey>));
    return new SignJWT({
      roles,
      ...(session !== undefined && { sid: session }),
      // With blanks between (RFC 8693, 4.2).
      ...(scopes && { scope: scopes.join(" ") }),
      ...(key !== undefined && { client_id: key }),
    })
      .setProtectedHeader({ alg: ALGORITHM, kid, typ: "at+jwt" })
      .setIssuer(this.#options.issuer)
      .setAudience(this.#options.issuer)
      .setSubject(id)
      .setJti(newId())
      .setIssuedAt()
      .setExpirationTime(`${seconds}s`)
      .sign(await signing);
  }

  /**
   * Publishes the next key. It signs in ten minutes, or sooner if it was published for the calendar before; while it waits,
   * a repetition changes nothing.
   */
  async rotate(): Promise<SigningKey[]> {
    await this.#publish(now => now + limits.keyPublishedMs);
    return this.list();
  }

  /**
   * Replaces every key at once, for one that was stolen: tokens of before verify nothing as soon as verifiers have fetched
   * the keys. Sessions stay: their refresh tokens are no signatures.
   */
  async replace(): Promise<SigningKey[]> {
    const pair = await newKeyPair();
    await this.#inTurn(async (trx, now) => {
      await trx("signing_keys").delete();
      await addKey(trx, { ...pair, publishedAt: now, signsFrom: now });
    });
    this.#options.say(`signing key ${pair.kid} replaces all others at once`);
    return this.list();
  }

  /** The keys and their times, the newest first, as the table has them now. */
  async list(): Promise<SigningKey[]> {
    await this.#read();
    return (await this.#states()).map(({ kid, state, publishedAt, signsFrom, verifiesUntil }) => ({
      kid,
      state: state as SigningKey["state"],
      publishedAt: rfc3339(publishedAt),
      signsFrom: rfc3339(signsFrom),
      ...(state === "retired" && { verifiesUntil: rfc3339(verifiesUntil!) }),
    }));
  }

  async #states(): Promise<KeyState<KeyPair>[]> {
    const { keys, databaseNow, readAt } = await this.#freshCopy();
    const now = databaseNow + this.#options.clock.monotonic() - readAt;
    return statesAt(keys, now).filter(({ state }) => state !== "dropped");
  }

  async #freshCopy(): Promise<Copy> {
    const copy = this.#copy;
    const ageMs = copy ? this.#options.clock.monotonic() - copy.readAt : Infinity;
    if (copy && ageMs < limits.keysReadMs) return copy;
    try {
      return await this.#read();
    } catch (error) {
      if (copy && ageMs < limits.keysStaleMs) return copy;
      throw error;
    }
  }

  /** Callers that come at once share one read. */
  #read(): Promise<Copy> {
    return (this.#reading ??= this.#readAndTend().finally(() => (this.#reading = undefined)));
  }

  async #readAndTend(): Promise<Copy> {
    const { database, everyMs } = this.#options;
    let copy = await this.#load();
    const states = statesAt(copy.keys, copy.databaseNow);
    if (dueAt(states, copy.databaseNow, everyMs) !== undefined) {
      await this.#publish((now, keys) => dueAt(keys, now, everyMs));
      copy = await this.#load();
    }
    const dropped = states.filter(({ state }) => state === "dropped").map(({ kid }) => kid);
    if (dropped.length > 0) await database.knex("signing_keys").whereIn("kid", dropped).delete();
    for (const kid of this.#imported.keys()) if (!copy.keys.some(key => key.kid === kid)) this.#imported.delete(kid);
    return (this.#copy = copy);
  }

  async #load(): Promise<Copy> {
    const { database, clock, now } = this.#options;
    // The age counts from before the read: a slow answer is an old one.
    const readAt = clock.monotonic();
    const databaseNow = await now(database.knex);
    return { keys: await readKeys(database.knex), databaseNow, readAt };
  }

  /** Publishes a key that signs from `from` on; none when that is undefined. A key that waits gets the earlier time. */
  async #publish(from: (now: number, keys: readonly KeyState[]) => number | undefined): Promise<void> {
    const pair = await newKeyPair();
    await this.#inTurn(async (trx, now, keys) => {
      const states = statesAt(keys, now);
      const signsFrom = from(now, states);
      if (signsFrom === undefined) return;
      const waiting = states.find(({ state }) => state === "published");
      if (!waiting) {
        await addKey(trx, { ...pair, publishedAt: now, signsFrom });
        this.#options.say(`signing key ${pair.kid} is published, and signs from ${rfc3339(signsFrom)} on`);
        return;
      }
      const earlier = Math.max(waiting.publishedAt + limits.keyPublishedMs, now);
      if (earlier >= waiting.signsFrom) return;
      await trx("signing_keys").where({ kid: waiting.kid }).update({ signs_from: earlier });
      this.#options.say(`signing key ${waiting.kid} signs from ${rfc3339(earlier)} on`);
    });
  }

  #inTurn(work: (trx: Knex, now: number, keys: KeyPair[]) => Promise<void>): Promise<void> {
    const { database, now } = this.#options;
    return database.transaction(async trx => work(trx, await now(trx), await readKeys(trx)), { lock: "signing-keys" });
  }
}
