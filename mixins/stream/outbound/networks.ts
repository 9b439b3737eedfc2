// The addresses that a webhook may be at. An operator names a URL, and whoever owns its name decides where it leads: to the
// database beside us, or to the cloud's metadata service. So the address itself is looked at, after the look-up and before
// the connection; public ones are allowed, others only in the networks that a variable names.
import { BlockList, isIP } from "node:net";

/** From IANA's special-purpose registries (RFC 6890 and later): nothing that a stranger's name should lead to. */
const SPECIAL_V4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
];
/** Within the public ones of IPv6; 6to4 and Teredo hold an IPv4 address, which may be any. */
const SPECIAL_V6 = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];
/** All that is assigned for the public internet (RFC 4291); addresses that stand for one of IPv4 are outside of it. */
const PUBLIC_V6 = ["2000::/3"];

const listOf = (networks: readonly string[]): BlockList => {
  const all = new BlockList();
  for (const network of networks) {
    const [address = "", bits] = network.split("/");
    all.addSubnet(address, Number(bits), isIP(address) === 6 ? "ipv6" : "ipv4");
  }
  return all;
};

const special = listOf([...SPECIAL_V4, ...SPECIAL_V6]);
const publicV6 = listOf(PUBLIC_V6);

export class Networks {
  readonly #allowed: BlockList;
  /** Whether any private network is allowed. */
  readonly hasPrivate: boolean;

  /** `allowed`: private networks, `10.1.0.0/16`. Throws Error for one that is none. */
  constructor(allowed: readonly string[] = []) {
    this.#allowed = listOf(allowed);
    this.hasPrivate = allowed.length > 0;
  }

  /** Whether a connection to the address is allowed; a plain one, by http, only to a private network that is. */
  allows(address: string, { isPlain }: { readonly isPlain: boolean }): boolean {
    const family = isIP(address);
    if (family === 0) return false;
    const kind = family === 6 ? "ipv6" : "ipv4";
    if (this.#allowed.check(address, kind)) return true;
    return !isPlain && !special.check(address, kind) && (family === 4 || publicV6.check(address, "ipv6"));
  }
}
