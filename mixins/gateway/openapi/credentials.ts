// The ways to say who one is, as the description has them: security schemes, and the parameter that names a browser session.
import Type from "typebox";
import type { CommonParameter } from "../../contract/index.ts";
import { SESSION_FIELD, type SessionCookies } from "../auth/session-cookies.ts";

export interface DescribedCredentials {
  /** By name; an operation takes any of them. */
  readonly schemes: Readonly<Record<string, object>>;
  /** Names of the schemes by which a person shows who they are: all but keys. */
  readonly ofPeople: readonly string[];
  /** Names of the schemes that are cookies. */
  readonly cookies: readonly string[];
  /** The name of the session, where there are several: as a header, and in the query of what a browser asks without one. */
  readonly inHeader: readonly CommonParameter[];
  readonly inQuery: readonly CommonParameter[];
}

/** `issuer`: the external issuer, if there is one. */
export function credentialsOf(
  cookies: Pick<SessionCookies, "names" | "cookieOf">,
  issuer: string | undefined,
): DescribedCredentials {
  const { names } = cookies;
  const ofSessions = names.map(name => [`session-${name}`, cookieScheme(cookies.cookieOf(name), name, names)] as const);
  const areSeveral = names.length > 1;
  return {
    schemes: {
      bearer: {
        type: "http",
        scheme: "bearer",
        bearerFormat: "JWT",
        description: `An access token${issuer === undefined ? "" : `, ours or one of ${issuer}`}; or an API key.`,
      },
      apiKey: {
        type: "apiKey",
        in: "header",
        name: "X-API-Key",
        description:
          "An API key, `vk_…`: it has the permissions of its scopes. `Authorization` beside it counts instead.",
      },
      ...Object.fromEntries(ofSessions),
    },
    ofPeople: ["bearer", ...ofSessions.map(([scheme]) => scheme)],
    cookies: ofSessions.map(([scheme]) => scheme),
    inHeader: areSeveral ? [sessionParameter("SessionHeader", "header", "X-Session", names)] : [],
    inQuery: areSeveral ? [sessionParameter("SessionField", "query", SESSION_FIELD, names)] : [],
  };
}

function cookieScheme(cookie: string, name: string, [usual]: readonly string[]): object {
  const asked = name === usual ? "" : ` A request names it: \`X-Session: ${name}\`, or \`?${SESSION_FIELD}=${name}\`.`;
  return {
    type: "apiKey",
    in: "cookie",
    name: cookie,
    description: `The session of a page in a browser, for requests without the other two.${asked} Changes have to come from a page of this site.`,
  };
}

function sessionParameter(
  id: string,
  place: "header" | "query",
  name: string,
  names: readonly string[],
): CommonParameter {
  const others = place === "header" ? "" : " For an `EventSource`, which sends no headers.";
  return {
    id,
    in: place,
    name,
    description: `The browser session of the request, where its cookie says who asks. Default \`${names[0]}\`.${others}`,
    schema: Type.Enum([...names]),
  };
}
