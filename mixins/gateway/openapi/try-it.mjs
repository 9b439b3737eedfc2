// Runs in the browser, on `/docs`: shows the API's description with Swagger UI, with the operations of the person whose session this
// browser has, and again when somebody enters an access token. `/docs?session=<name>` uses another session than the usual one. The description's server is replaced by this origin, the only one
// that the page's Content-Security-Policy lets it call.
/* global SwaggerUIBundle, URLSearchParams, document, fetch, location */

/** The header that names the session, for every request of the page. */
const session = new URLSearchParams(location.search).get("session");
const OF_SESSION = session === null ? {} : { "X-Session": session };

/** @param {string | undefined} token */
async function readDescription(token) {
  const headers = { ...OF_SESSION, ...(token !== undefined && { Authorization: `Bearer ${token}` }) };
  const response = await fetch("/openapi.json", { headers });
  const description = await response.json();
  return response.ok ? { ...description, servers: [{ url: location.origin }] } : undefined;
}

/** Wraps the actions of Swagger UI's log-in window. */
const readsAgain = () => ({
  statePlugins: {
    auth: {
      wrapActions: {
        authorize:
          (authorize, { specActions }) =>
          given => {
            const { value } = given.bearer ?? {};
            if (typeof value === "string") void show(specActions, value);
            return authorize(given);
          },
        logout:
          (logout, { specActions }) =>
          names => {
            void show(specActions);
            return logout(names);
          },
      },
    },
  },
});

async function show(specActions, token) {
  const description = await readDescription(token);
  // A token that is refused shows nothing else: the try-it then answers 401 by itself.
  if (description !== undefined) specActions.updateSpec(JSON.stringify(description));
}

SwaggerUIBundle({
  spec: await readDescription(),
  domNode: document.querySelector("#api"),
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "none",
  // It would send the description to a host of its maker.
  validatorUrl: null,
  // A token lives as long as the page.
  persistAuthorization: false,
  requestInterceptor: request => ({ ...request, headers: { ...request.headers, ...OF_SESSION } }),
  plugins: [readsAgain],
});
