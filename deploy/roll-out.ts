// node deploy/roll-out.ts <overlay> <image>@sha256:… --url <url> brings a release to a cluster, and takes it back if it does not serve.
// Exit codes: 0 it serves; 1 it does not, and the release before serves; 2 neither could be seen to serve, a person is needed.
import { parseArgs } from "node:util";
import { releaseOf } from "./manifests.ts";
import { rollOut } from "./release.ts";
import { run, script } from "./run.ts";

/** A day: more is a mistake. */
const CANARY_SECONDS_MAX = 86_400;

await script(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      url: { type: "string" },
      namespace: { type: "string", default: "valence" },
      // Of the migration and of each Deployment.
      minutes: { type: "string", default: "10" },
      // Parts of the clients in percent, in turn: 5,25.
      canary: { type: "string", default: "" },
      // How long each part is tried.
      "canary-seconds": { type: "string", default: "60" },
      "no-backup-check": { type: "boolean", default: false },
    },
  });
  const [overlay, image] = positionals;
  const { url, namespace } = values;
  if (overlay === undefined || image === undefined || url === undefined || positionals.length > 2)
    throw new Error("node deploy/roll-out.ts <overlay> <image>@sha256:… --url <url>");
  // Found now, not when everything is rolled out.
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? "")) throw new Error(`--url is a URL, not "${url}"`);
  const [minutes, canarySeconds] = [Number(values.minutes), Number(values["canary-seconds"])];
  if (!Number.isInteger(minutes) || minutes < 1)
    throw new Error(`--minutes is a whole number, not "${values.minutes}"`);
  if (!(canarySeconds >= 0 && canarySeconds <= CANARY_SECONDS_MAX))
    throw new Error(`--canary-seconds is a number up to ${CANARY_SECONDS_MAX}, not "${values["canary-seconds"]}"`);
  const result = await rollOut(releaseOf(run, overlay, image), {
    run,
    say: line => console.log(line),
    url,
    namespace,
    minutes,
    canary: values.canary.split(",").filter(Boolean).map(Number),
    canarySeconds,
    checksBackup: !values["no-backup-check"],
  });
  process.exitCode = { serves: 0, "taken back": 1, "needs a person": 2 }[result];
});
