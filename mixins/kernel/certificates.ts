// How long certificates in files are valid. One that has expired ends every new connection, most often at night.
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { DependencyState } from "./dependencies.ts";
import type { Environment } from "./environment.ts";
import { nodeEnvironment } from "./node-environment.ts";

const DAY_MS = 86_400_000;

/** Days before its end from which on a certificate is a warning: time for a person to get another one. */
export const CERTIFICATE_WARN_DAYS = 14;

/** A file with certificates in PEM, by the variable that names it. */
export interface CertificateFile {
  readonly variable: string;
  readonly path: string;
  /**
   * `own`: one that we show, with those that lead to its authority; each must be valid. `authorities`: those that we
   * believe; one that has expired does no harm beside its successor.
   */
  readonly holds: "own" | "authorities";
}

/** The files that the variables of every process name. */
export function certificateFilesIn(environment: Environment | { readonly options: object }): CertificateFile[] {
  const { NATS_CA, NATS_CERT } = nodeEnvironment.of(environment);
  return [
    ...(NATS_CA === undefined ? [] : [{ variable: "NATS_CA", path: NATS_CA, holds: "authorities" as const }]),
    ...(NATS_CERT === undefined ? [] : [{ variable: "NATS_CERT", path: NATS_CERT, holds: "own" as const }]),
  ];
}

/**
 * How the certificates of a file stand at `now`, milliseconds since the epoch. A file that cannot be read, or holds no
 * certificate, is a `FAIL`.
 */
export function certificateState({ variable, path, holds }: CertificateFile, now: number): DependencyState {
  const certificates = certificatesIn(path);
  if (typeof certificates === "string")
    return { status: "FAIL", message: `${variable}: ${certificates}`, advice: "put the certificates there, in PEM" };
  const begins = Math.max(...certificates.map(({ validFrom }) => Date.parse(validFrom)));
  const until = endOf(certificates, holds);
  const subject = nameOf(certificates.find(({ validTo }) => Date.parse(validTo) === until)!);
  const daysLeft = Math.floor((until - now) / DAY_MS);
  const figures = { daysLeft };
  const renew = `put a new one at the path that ${variable} names, and restart the processes that read it`;
  const named = `${variable}: ${subject}`;
  if (until <= now)
    return { status: "FAIL", message: `${named} has expired on ${dateOf(until)}`, advice: renew, figures };
  if (holds === "own" && begins > now)
    return {
      status: "FAIL",
      message: `${named} is not valid before ${dateOf(begins)}`,
      advice: "is this machine's clock right?",
      figures,
    };
  const message = `${named} is valid until ${dateOf(until)}`;
  return daysLeft < CERTIFICATE_WARN_DAYS
    ? { status: "warn", message: `${message}, for ${daysLeft} more days`, advice: renew, figures }
    : { status: "ok", message, figures };
}

/**
 * When the certificates of a file end, in milliseconds since the epoch. Throws an Error where the file cannot be read, or holds
 * none.
 */
export function certificateEnd({ variable, path, holds }: CertificateFile): number {
  const certificates = certificatesIn(path);
  if (typeof certificates === "string") throw new Error(`${variable}: ${certificates}`);
  return endOf(certificates, holds);
}

/** The last authority counts, but every link of our own chain. */
function endOf(certificates: readonly X509Certificate[], holds: CertificateFile["holds"]): number {
  const ends = certificates.map(({ validTo }) => Date.parse(validTo));
  return holds === "own" ? Math.min(...ends) : Math.max(...ends);
}

function certificatesIn(path: string): X509Certificate[] | string {
  try {
    const blocks = readFileSync(path, "utf8").match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
    return blocks.length === 0 ? "the file holds no certificate" : blocks.map(pem => new X509Certificate(pem));
  } catch (error) {
    return `the file cannot be read (${(error as NodeJS.ErrnoException).code ?? "it is no certificate"})`;
  }
}

/** `CN=nats` of `C=…\nCN=nats`. */
const nameOf = ({ subject }: X509Certificate): string =>
  /^CN=.+$/m.exec(subject)?.[0] ?? subject.replaceAll("\n", ", ");
const dateOf = (at: number): string => new Date(at).toISOString().slice(0, 10);
