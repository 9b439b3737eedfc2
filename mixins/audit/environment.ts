// The key of the audit, its copy in a second place, and how long records are kept.
import { checked, defineEnvironment, EnvironmentError, integer, secret, text } from "../kernel/index.ts";
import { SigningKey } from "./signing.ts";

/** The key as PEM, in which a variable may have `\n` for the ends of lines. */
export const pemOf = (text: string): string => text.replaceAll(String.raw`\n`, "\n");

function isKey(text: string): boolean {
  try {
    return new SigningKey(pemOf(text)).id !== "";
  } catch {
    return false;
  }
}

const PLACE = "an absolute path, or `https://<server>/<bucket>/<folder>`";
const placeProblem = (text: string): string | undefined => {
  const isUrl = /^https?:/.test(text) && URL.canParse(text) && !/[@?#]/.test(text);
  return isUrl || text.startsWith("/") ? undefined : PLACE.replaceAll("`", "");
};

export const auditEnvironment = defineEnvironment(
  "The audit",
  {
    AUDIT_SIGNING_KEY: secret({
      pattern: /^-----BEGIN PRIVATE KEY-----/,
      expected: "an Ed25519 private key in PEM, as `npx valence audit new-key` makes it",
      defaultSays: "made at the first start, and kept in the audit's database",
      says: "signs the audit; kept elsewhere than in the database, nobody who can write there can sign",
    }),
    AUDIT_CHECKPOINT_SECONDS: integer({
      min: 1,
      max: 86_400,
      default: 60,
      says: "seconds between two signed checkpoints, while there are new records",
    }),
    AUDIT_RETENTION_DAYS: integer({
      min: 1,
      max: 36_500,
      defaultSays: "for ever",
      says: "days for which records are kept",
    }),
    AUDIT_ANCHOR: checked({
      form: PLACE,
      problem: placeProblem,
      says: "the second place, for a copy of each checkpoint: a file that grows, or an object each at an S3-compatible server",
    }),
    AUDIT_ANCHOR_ACCESS_KEY: text({ says: "id of the access key for `AUDIT_ANCHOR` at an S3-compatible server" }),
    AUDIT_ANCHOR_SECRET_KEY: secret({
      pattern: /^\S+$/,
      expected: "a text without blanks",
      says: "the secret of that access key",
    }),
    AUDIT_ANCHOR_REGION: text({ default: "us-east-1", says: "the region of `AUDIT_ANCHOR`'s server" }),
  },
  ({ AUDIT_SIGNING_KEY, AUDIT_ANCHOR_ACCESS_KEY, AUDIT_ANCHOR_SECRET_KEY }) => {
    if (AUDIT_SIGNING_KEY !== undefined && !isKey(AUDIT_SIGNING_KEY))
      throw new EnvironmentError("AUDIT_SIGNING_KEY", "", "an Ed25519 private key in PEM");
    if ((AUDIT_ANCHOR_ACCESS_KEY === undefined) !== (AUDIT_ANCHOR_SECRET_KEY === undefined))
      throw new EnvironmentError(
        "AUDIT_ANCHOR_ACCESS_KEY",
        "",
        "AUDIT_ANCHOR_SECRET_KEY beside it, and the other way round",
      );
  },
);
