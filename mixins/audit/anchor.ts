// The anchor: a copy of each checkpoint in a second place, which the audit's database and its key do not reach. A file grows by
// a line a checkpoint; at an HTTP server, such as an S3-compatible store, each is an object of its own. Beside the checkpoint
// lie the hashes of the records since the one before, so that a comparison names the first record that was rewritten.
import { createReadStream } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { AwsClient } from "aws4fetch";
import { auditEnvironment } from "./environment.ts";
import { auditErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { checkpointIn, type Checkpoint, type SignedCheckpoint } from "./signing.ts";

/** Hashes of the records of a partition between two checkpoints, in order; `from` is the number of the first. */
export interface Hashes {
  readonly partition: number;
  readonly from: number;
  readonly hashes: readonly string[];
}
export interface Anchored {
  readonly signed: SignedCheckpoint;
  readonly checkpoint: Checkpoint;
  /** The key that signed it, in PEM. */
  readonly publicKey: string;
  readonly hashes: readonly Hashes[];
}

export interface AnchorCopy {
  /** A checkpoint by its number; undefined when it is not there. */
  get(number: number): Promise<Anchored | undefined>;
  /** Number of the newest one, 0 when there is none. `near`: a guess. */
  newest(near: number): Promise<number>;
}
export interface Anchor extends AnchorCopy {
  /** Adds a checkpoint. A repeat changes nothing; another one of the same number is refused (`AUDIT_ANCHOR_DIFFERS`). */
  put(anchored: Anchored): Promise<void>;
}

export interface AnchorAccess {
  readonly accessKeyId?: string | undefined;
  readonly secretAccessKey?: string | undefined;
  readonly region?: string | undefined;
}

/** `/mnt/audit/anchor.ndjson`, or `https://<server>/<bucket>/<folder>`, whose requests are signed where there is a key. */
export const resolveAnchor = (place: string, access: AnchorAccess = {}): Anchor =>
  /^https?:/.test(place) ? new HttpAnchor(place, access) : new FileAnchor(place);

type From = Parameters<typeof auditEnvironment.of>[0];
/** The place that the environment names. */
export function anchorOf(from: From): Anchor | undefined {
  const { AUDIT_ANCHOR: place } = auditEnvironment.of(from);
  return place === undefined ? undefined : anchorAt(place, from);
}
/** Another place, with the environment's access key. */
export function anchorAt(place: string, from: From): Anchor {
  const { AUDIT_ANCHOR_ACCESS_KEY, AUDIT_ANCHOR_SECRET_KEY, AUDIT_ANCHOR_REGION } = auditEnvironment.of(from);
  return resolveAnchor(place, {
    accessKeyId: AUDIT_ANCHOR_ACCESS_KEY,
    secretAccessKey: AUDIT_ANCHOR_SECRET_KEY,
    region: AUDIT_ANCHOR_REGION,
  });
}

interface Written {
  readonly checkpoint: string;
  readonly signature: string;
  readonly publicKey: string;
  readonly hashes: readonly Hashes[];
}
const written = ({ signed, publicKey, hashes }: Anchored): string =>
  JSON.stringify({ checkpoint: signed.text, signature: signed.signature, publicKey, hashes } satisfies Written);

/** Throws when the text is no anchored checkpoint. */
function readWritten(text: string): Anchored {
  const { checkpoint, signature, publicKey, hashes } = JSON.parse(text) as Written;
  const signed = { text: checkpoint, signature };
  return { signed, checkpoint: checkpointIn(signed), publicKey, hashes };
}

function mustBeSame(before: Anchored, { signed, checkpoint: { number } }: Anchored): void {
  if (before.signed.text !== signed.text) throw auditErrors.AUDIT_ANCHOR_DIFFERS({ number });
}

class FileAnchor implements Anchor {
  readonly #path: string;
  /** By number, the place of its line. */
  #lines: Map<number, { start: number; end: number }> | undefined;
  constructor(path: string) {
    this.#path = path;
  }

  async get(number: number): Promise<Anchored | undefined> {
    const line = (await this.#read()).get(number);
    if (!line) return undefined;
    const file = await open(this.#path);
    try {
      const buffer = Buffer.alloc(line.end - line.start);
      await file.read(buffer, 0, buffer.length, line.start);
      return readWritten(buffer.toString());
    } finally {
      await file.close();
    }
  }

  async newest(): Promise<number> {
    return Math.max(0, ...(await this.#read()).keys());
  }

  async put(anchored: Anchored): Promise<void> {
    const before = await this.get(anchored.checkpoint.number);
    if (before) return mustBeSame(before, anchored);
    await mkdir(dirname(this.#path), { recursive: true });
    const file = await open(this.#path, "a");
    try {
      // In front as well: a crash may have left half a line.
      await file.write(`\n${written(anchored)}\n`);
      await file.sync();
    } finally {
      await file.close();
      this.#lines = undefined;
    }
  }

  /** The first line of a number counts: a later one was added to replace it. Half a line is passed over. */
  async #read(): Promise<Map<number, { start: number; end: number }>> {
    if (this.#lines) return this.#lines;
    const lines = new Map<number, { start: number; end: number }>();
    let start = 0;
    try {
      for await (const line of createInterface({ input: createReadStream(this.#path), crlfDelay: Infinity })) {
        const end = start + Buffer.byteLength(line);
        const number = numberIn(line);
        if (number !== undefined && !lines.has(number)) lines.set(number, { start, end });
        start = end + 1;
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    this.#lines = lines;
    return lines;
  }
}

function numberIn(line: string): number | undefined {
  try {
    return readWritten(line).checkpoint.number;
  } catch {
    return undefined;
  }
}

class HttpAnchor implements Anchor {
  readonly #base: string;
  readonly #client: AwsClient | undefined;

  constructor(base: string, { accessKeyId, secretAccessKey, region }: AnchorAccess) {
    this.#base = base.replace(/\/$/, "");
    if (accessKeyId !== undefined && secretAccessKey !== undefined)
      this.#client = new AwsClient({ accessKeyId, secretAccessKey, service: "s3", region: region ?? "us-east-1" });
  }

  async get(number: number): Promise<Anchored | undefined> {
    const response = await this.#send("GET", number);
    const text = await response.text();
    if (response.status === 404) return undefined;
    if (!response.ok) throw failed(response);
    return readWritten(text);
  }

  async newest(near: number): Promise<number> {
    const isThere = async (number: number): Promise<boolean> => {
      const response = await this.#send("HEAD", number);
      if (!response.ok && response.status !== 404) throw failed(response);
      return response.ok;
    };
    // Numbers follow each other without a gap: doubles the step until one is there and one is not, then halves.
    let [there, gone] = [0, near + 1];
    for (let step = 1; await isThere(gone); step *= 2) [there, gone] = [gone, gone + step];
    for (let step = 1; there === 0 && gone > 1; step *= 2) {
      const number = Math.max(1, gone - step);
      if (await isThere(number)) there = number;
      else gone = number;
    }
    while (gone - there > 1) {
      const middle = Math.floor((there + gone) / 2);
      if (await isThere(middle)) there = middle;
      else gone = middle;
    }
    return there;
  }

  async put(anchored: Anchored): Promise<void> {
    const { number } = anchored.checkpoint;
    const response = await this.#send("PUT", number, written(anchored));
    await response.body?.cancel();
    if (response.ok) return;
    // It is there already, from an attempt whose answer was lost; or somebody put another one there.
    const before = [409, 412].includes(response.status) ? await this.get(number) : undefined;
    if (!before) throw failed(response);
    mustBeSame(before, anchored);
  }

  async #send(method: "GET" | "HEAD" | "PUT", number: number, body?: string): Promise<Response> {
    const url = `${this.#base}/${String(number).padStart(12, "0")}.json`;
    // An object that is there is never replaced.
    const headers = body === undefined ? {} : { "content-type": "application/json", "if-none-match": "*" };
    const init = { method, headers, ...(body !== undefined && { body }) };
    const request = this.#client ? await this.#client.sign(url, init) : new Request(url, init);
    try {
      return await fetch(request, { signal: AbortSignal.timeout(limits.anchorMs) });
    } catch (error) {
      const { message, cause } = error as Error & { cause?: { code?: string } };
      throw auditErrors.AUDIT_ANCHOR_AWAY({ reason: cause?.code ?? message });
    }
  }
}

const failed = ({ status }: Response): Error => auditErrors.AUDIT_ANCHOR_AWAY({ reason: `it answered ${status}` });
