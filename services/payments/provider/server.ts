// The bundled payment provider as a program of its own, and as the worker that the service `payment-provider` starts.
import { parseArgs } from "node:util";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { startProvider, type ProviderOptions } from "./provider.ts";

const HELP = `The bundled payment provider.

  node services/payments/provider/server.ts [options]

  --port <n>      port to listen on (4010)
  --host <name>   address to listen on (127.0.0.1)
  --data <file>   SQLite file of the ledger (payment-provider.sqlite)
  --slow-ms <n>   milliseconds before tok_slow is looked at (3000)
  --pending-ms <n>     milliseconds until the customer of a tok_pending agrees (3000; 0: only by POST …/settle)
  --webhook-url <url>  where a webhook tells what has become of a pending one (nowhere)
  --webhook-secret <text>  what it is signed with (made up, once a ledger)
  --help          this text

Tokens: tok_ok, tok_declined, tok_slow, tok_pending, tok_flaky. Any other token is declined.
`;

if (isMainThread) await runAlone();
else await runAsWorker();

async function runAlone(): Promise<void> {
  const provider = await startProvider(readArguments());
  process.stdout.write(`payment provider on ${provider.url}\n`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void provider.close());
}

/** As a worker: posts its URL, and closes the ledger when it is told to end. */
async function runAsWorker(): Promise<void> {
  const provider = await startProvider(workerData as ProviderOptions);
  parentPort!.once("message", () => void provider.close().then(() => parentPort!.close()));
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort!.postMessage({ url: provider.url, webhookSecret: provider.webhookSecret });
}

function readArguments(): ProviderOptions {
  try {
    const { values } = parseArgs({
      options: {
        port: { type: "string", default: "4010" },
        host: { type: "string", default: "127.0.0.1" },
        data: { type: "string", default: "payment-provider.sqlite" },
        "slow-ms": { type: "string", default: "3000" },
        "pending-ms": { type: "string", default: "3000" },
        "webhook-url": { type: "string" },
        "webhook-secret": { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) {
      process.stdout.write(HELP);
      process.exit(0);
    }
    return {
      filename: values.data,
      host: values.host,
      port: wholeNumber("--port", values.port, 65_535),
      slowMs: wholeNumber("--slow-ms", values["slow-ms"], 600_000),
      pendingMs: wholeNumber("--pending-ms", values["pending-ms"], 600_000),
      ...(values["webhook-url"] !== undefined && { webhookUrl: values["webhook-url"] }),
      ...(values["webhook-secret"] !== undefined && { webhookSecret: values["webhook-secret"] }),
    };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${HELP}`);
    process.exit(2);
  }
}

function wholeNumber(option: string, text: string, max: number): number {
  const number = Number(text);
  if (text.trim() === "" || !Number.isInteger(number) || number < 0 || number > max)
    throw new Error(`${option} ${text}: expected a whole number from 0 to ${max}`);
  return number;
}
