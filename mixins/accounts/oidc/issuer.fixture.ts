// A real OpenID Connect issuer on loopback: it answers discovery, keys and tokens. Its clients are the people of the tests:
// each gets an access token of its own (client credentials, RFC 8707 resource), with the claims that the test gives it.
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from "jose";
import { Provider, type Adapter, type ClientMetadata } from "oidc-provider";

export const AUDIENCE = "https://api.example.com";
const SECRET = "a-secret-of-a-test-that-is-long-enough";

/** Remembers nothing: the clients are in the configuration, and a JWT is in no store. */
class Nothing implements Adapter {
  async upsert(): Promise<undefined> {}
  async find(): Promise<undefined> {}
  async findByUserCode(): Promise<undefined> {}
  async findByUid(): Promise<undefined> {}
  async consume(): Promise<undefined> {}
  async destroy(): Promise<undefined> {}
  async revokeByGrantId(): Promise<undefined> {}
}

export interface IssuerKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
  readonly publicJwk: JWK;
}
export async function newIssuerKey(kid: string, alg = "RS256"): Promise<IssuerKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const named = { kid, alg, use: "sig" };
  const jwk = { ...(await exportJWK(privateKey)), ...named };
  return { kid, privateKey, jwk, publicJwk: { ...(await exportJWK(publicKey)), ...named } };
}

export type RunningIssuer = Awaited<ReturnType<typeof startIssuer>>;

/** `people`: claims of each client's tokens, by its id. */
export async function startIssuer(people: Record<string, Record<string, unknown>>) {
  let key = await newIssuerKey("issuer-1");
  let server: Server;
  let port = 0;
  /** Requests that reached it, by path. */
  const asked: string[] = [];
  const issuer = () => `http://127.0.0.1:${port}`;

  async function listen(): Promise<void> {
    server = createServer();
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
    const clients = Object.keys(people).map((client_id): ClientMetadata => ({
      client_id,
      client_secret: SECRET,
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    }));
    const provider = new Provider(issuer(), {
      clients,
      adapter: Nothing,
      ttl: { ClientCredentials: 600 },
      jwks: { keys: [key.jwk] },
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_ctx, resource) => ({
            scope: "",
            audience: resource,
            accessTokenTTL: 600,
            accessTokenFormat: "jwt",
            jwt: { sign: { alg: "RS256" } },
          }),
        },
      },
      extraTokenClaims: (_ctx, token) => people[(token as unknown as { clientId: string }).clientId],
    });
    const handle = provider.callback();
    server.on("request", (req, res) => {
      asked.push(req.url!);
      void handle(req, res);
    });
  }
  async function leave(): Promise<void> {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }

  await listen();
  return {
    get url() {
      return issuer();
    },
    get key() {
      return key;
    },
    asked,
    /** An access token of this client, as the issuer gives it. */
    async token(client: string, resource = AUDIENCE): Promise<string> {
      const response = await fetch(`${issuer()}/token`, {
        method: "POST",
        headers: { authorization: `Basic ${Buffer.from(`${client}:${SECRET}`).toString("base64")}` },
        body: new URLSearchParams({ grant_type: "client_credentials", resource }),
      });
      const { access_token, error_description } = (await response.json()) as Record<string, string>;
      if (!access_token) throw new Error(error_description);
      return access_token;
    },
    /** A token that is signed as the issuer signs, with any header and claims; what is undefined is left out. */
    sign(
      claims: Record<string, unknown> = {},
      header: object = {},
      privateKey: CryptoKey | Uint8Array = key.privateKey,
    ) {
      const now = Math.floor(Date.now() / 1_000);
      const payload = { iss: issuer(), aud: AUDIENCE, sub: "forged", iat: now, exp: now + 300, ...claims };
      return new SignJWT(payload).setProtectedHeader({ alg: "RS256", kid: key.kid, ...header }).sign(privateKey);
    },
    leave,
    come: listen,
    /** From now on it signs with another key, and its old one is gone. */
    async rotate(): Promise<void> {
      key = await newIssuerKey(`issuer-${Number(key.kid.split("-")[1]) + 1}`);
      await leave();
      await listen();
    },
    stop: leave,
  };
}
