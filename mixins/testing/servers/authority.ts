// Certificates for a test: an authority of its own, and what it signs. By openssl, as people make them.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export class Authority {
  readonly #folder: string;
  /** The file of its certificate. */
  readonly ca: string;

  /** `folder` is the test's own. */
  constructor(folder: string, name = "ca") {
    this.#folder = folder;
    this.ca = join(folder, `${name}.crt`);
    const subject = ["-subj", `/CN=${name}`, "-addext", "basicConstraints=critical,CA:TRUE"];
    this.#openssl("req", "-x509", ...this.#newKey(name), "-out", this.ca, "-days", "1", ...subject);
  }

  /**
   * The files of a certificate for servers and clients of these names, on this machine unless given; one for -1 days has expired
   * yesterday.
   */
  sign(name: string, by = "ca", days = 1, names = "DNS:localhost,IP:127.0.0.1"): Certificate {
    const [cert, request, extensions] = ["crt", "csr", "ext"].map(suffix => join(this.#folder, `${name}.${suffix}`));
    const key = join(this.#folder, `${name}.key`);
    writeFileSync(extensions!, `subjectAltName=${names}\nextendedKeyUsage=serverAuth,clientAuth\n`);
    this.#openssl("req", ...this.#newKey(name), "-out", request!, "-subj", `/CN=${name}`);
    const signer = ["-CA", this.ca, "-CAkey", join(this.#folder, `${by}.key`), "-CAcreateserial"];
    this.#openssl(
      "x509",
      "-req",
      "-in",
      request!,
      ...signer,
      "-out",
      cert!,
      "-days",
      `${days}`,
      "-extfile",
      extensions!,
    );
    return { cert: cert!, key };
  }

  #newKey(name: string): string[] {
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"];
    return [...curve, "-keyout", join(this.#folder, `${name}.key`)];
  }

  #openssl(...args: string[]): void {
    execFileSync("openssl", args, { stdio: "pipe" });
  }
}
