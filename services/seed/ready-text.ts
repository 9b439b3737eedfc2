/** URLs at which the services of this process listen. */
export interface Addresses {
  /** URL of the gateway, if this process has it. */
  readonly api?: string | undefined;
  /** URL of the payment provider, if this process has it. */
  readonly provider?: string | undefined;
  /** Whether the gateway serves pages. */
  readonly hasPages?: boolean;
}

/** First line of the announcement. */
export const HEADING = "The shop is open.";

/** Label and text of each line about the addresses. */
export function addressLines({ api, provider, hasPages = false }: Addresses): [label: string, text: string][] {
  const lines: [string, string][] = [];
  if (api !== undefined && hasPages) lines.push(["shop", api], ["console", `${api}/console`]);
  if (api !== undefined)
    lines.push(["API", `${api}/api/v1`], ["described", `${api}/openapi.json`], ["health", `${api}/health/ready`]);
  if (provider !== undefined) lines.push(["payments", `${provider}/ledger (charges in the provider's own ledger)`]);
  return lines;
}
