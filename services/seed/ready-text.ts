export interface Administrator {
  readonly email: string;
  /** Only if it was made up: one that the environment gave is not shown. */
  readonly password: string | undefined;
}

export interface Addresses {
  /** Of the gateway, if this process has it. */
  readonly api?: string | undefined;
  /** Of the payment provider, if this process has it. */
  readonly provider?: string | undefined;
}

/** What a start says when the shop is open. */
export function readyText({ api, provider }: Addresses, administrator: Administrator | undefined): string {
  const lines = ["", "The shop is open."];
  if (api !== undefined)
    lines.push(`  API        ${api}/api/v1`, `  described  ${api}/openapi.json`, `  health     ${api}/health/ready`);
  if (provider !== undefined)
    lines.push(`  payments   ${provider}/ledger (what was charged, by the provider's own book)`);
  if (administrator) {
    const { email, password } = administrator;
    const secret = password === undefined ? "the password in ADMIN_PASSWORD" : `password ${password} (shown only now)`;
    lines.push(`  admin      ${email}, ${secret}`);
  }
  return `${lines.join("\n")}\n\n`;
}
