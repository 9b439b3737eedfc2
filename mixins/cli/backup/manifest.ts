// What a backup consists of: a folder of files, and manifest.json, which is written last. A folder without it was cut off.
// Each file has its length and its checksum in it, and the manifest has its own: a backup that was changed or came over
// incomplete is refused before anything is written.
import { createHash, hash } from "node:crypto";
import {
  closeSync,
  createReadStream,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
} from "node:fs";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Type } from "typebox";
import { compileSchema } from "../../contract/index.ts";
import { Misconfigured } from "../../kernel/index.ts";

const FORMAT = 1;
const MANIFEST = "manifest.json";

export interface Manifest {
  /** Version of the runtime that made it. */
  readonly runtime: string;
  /** RFC 3339: the moment of which all parts are. */
  readonly at: string;
  readonly parts: readonly Part[];
}

/** One database of one service: a shard is a part of its own. */
export interface Part {
  /** The service; of a file that a service keeps beside its own, the file's name without the suffix. */
  readonly name: string;
  readonly kind: "sqlite" | "postgres";
  /** Number of the shard; 0 where there is only one. */
  readonly shard: number;
  /** In the backup's folder. */
  readonly file: string;
  readonly bytes: number;
  /** Of the file, in hexadecimal. */
  readonly sha256: string;
  readonly positions: Positions;
}

/** Where a database stands in its own log, and in those that its consumers read. */
export interface Positions {
  /** Absent where there is no event store. */
  readonly log?: {
    readonly identity: string;
    /** Cursor of the newest event that was ever written; "0" for none. */
    readonly head: string;
  };
  readonly checkpoints: readonly {
    readonly consumer: string;
    readonly source: string;
    readonly partition: string;
    readonly cursor: string;
  }[];
}

/** Writes the manifest: from then on the backup is complete. */
export function writeManifest(folder: string, manifest: Manifest): void {
  const text = JSON.stringify({ format: FORMAT, sha256: digestOf(manifest), ...manifest }, undefined, 2);
  const unfinished = join(folder, `${MANIFEST}.unfinished`);
  writeFileSync(unfinished, `${text}\n`, { mode: 0o600, flush: true });
  renameSync(unfinished, join(folder, MANIFEST));
  sync(folder);
}

/** Reads the manifest of a complete backup. Throws Misconfigured. */
export function readManifest(folder: string): Manifest {
  if (!existsSync(folder)) throw new Misconfigured(`there is no ${folder}`);
  const file = join(folder, MANIFEST);
  if (!existsSync(file))
    throw new Misconfigured(
      `${folder} is no backup, or one that was cut off: it has no ${MANIFEST}, which is written last`,
    );
  const { format, sha256, ...manifest } = parsed(file);
  if (format !== FORMAT)
    throw new Misconfigured(
      `${file} is of format ${format}, but this release reads ${FORMAT}: use the release that made it`,
    );
  if (sha256 !== digestOf(manifest)) throw new Misconfigured(`${file} was changed: it does not have its own checksum`);
  // The checksum keeps no one from writing another manifest.
  const issues = isManifest(manifest);
  if (issues !== true)
    throw new Misconfigured(`${file} is no manifest of a backup: ${issues[0]!.field} ${issues[0]!.message}`);
  const files = new Set(manifest.parts.map(part => part.file));
  if (files.size < manifest.parts.length)
    throw new Misconfigured(`${file} is no manifest of a backup: it names a file twice`);
  return manifest;
}

/** In the backup's folder, and below the data folder when it is restored: no way to another one. */
const FileName = Type.String({ pattern: "^\\w[\\w.-]*$" });
const isManifest = compileSchema(
  Type.Object({
    runtime: Type.String(),
    at: Type.String({ format: "date-time" }),
    parts: Type.Array(
      Type.Object({
        name: FileName,
        kind: Type.Enum(["sqlite", "postgres"]),
        shard: Type.Integer({ minimum: 0 }),
        file: FileName,
        bytes: Type.Integer({ minimum: 0 }),
        sha256: Type.String({ pattern: "^[0-9a-f]{64}$" }),
        positions: Type.Object({
          log: Type.Optional(Type.Object({ identity: Type.String(), head: Type.String() })),
          checkpoints: Type.Array(
            Type.Object({
              consumer: Type.String(),
              source: Type.String(),
              partition: Type.Unknown(),
              cursor: Type.String(),
            }),
          ),
        }),
      }),
      { minItems: 1 },
    ),
  }),
  "manifest of a backup",
);

function parsed(file: string): Manifest & { readonly format?: number; readonly sha256?: string } {
  try {
    // `null` has no format either.
    return JSON.parse(readFileSync(file, "utf8")) ?? {};
  } catch {
    throw new Misconfigured(`${file} was cut off or changed: it is no JSON`);
  }
}

const digestOf = (manifest: Manifest): string => hash("sha256", JSON.stringify(manifest));

/** Reads the part's file whole. Throws Misconfigured if it is not as the manifest says. */
export async function verify(folder: string, { file, bytes, sha256 }: Part): Promise<void> {
  const path = join(folder, file);
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) throw new Misconfigured(`${path} is missing: the backup is incomplete`);
  if (size !== bytes)
    throw new Misconfigured(`${path} has ${size} bytes in place of ${bytes}: the backup was cut off or changed`);
  if ((await checksumOf(path)) !== sha256)
    throw new Misconfigured(`${path} was changed: its checksum is not that of the manifest`);
}

/** Length and checksum of a file that is complete, which is on the disk afterwards. */
export async function measured(path: string): Promise<Pick<Part, "bytes" | "sha256">> {
  sync(path);
  return { bytes: statSync(path).size, sha256: await checksumOf(path) };
}

async function checksumOf(path: string): Promise<string> {
  const sum = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) sum.update(chunk as Buffer);
  return sum.digest("hex");
}

/** Moves what was written of a file, or the entries of a folder, to the disk. */
export function sync(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
