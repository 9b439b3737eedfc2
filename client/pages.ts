// The rows of a list, page by page: by cursor, or by number where a list has no cursors.
import { call, type Sending } from "./call.ts";

interface Page {
  readonly nextCursor?: string;
  readonly page?: number;
  readonly pageSize?: number;
  readonly total?: number;
  /** Of a page of version 2. */
  readonly links?: { readonly next?: string };
  readonly [field: string]: unknown;
}

/** Reads a page when its first row is wanted. Each page is a call of its own, with its time. */
export async function* rowsOf(sending: Sending): AsyncGenerator<unknown> {
  for (let input: Sending["input"] | undefined = sending.input; input;) {
    const { body } = await call<Page>({ ...sending, input });
    yield* rowsIn(body);
    input = nextOf(body, input);
  }
}

/** The field with the rows: the first one that is a list. */
export const rowsIn = (page: Page): readonly unknown[] => Object.values(page).find(value => Array.isArray(value)) ?? [];

function nextOf(
  { links, page, pageSize, total, nextCursor = cursorIn(links?.next) }: Page,
  input: Sending["input"],
): Sending["input"] | undefined {
  if (nextCursor !== undefined) return { ...input, page: undefined, cursor: nextCursor };
  const isByNumber = page !== undefined && pageSize !== undefined && total !== undefined;
  return isByNumber && page * pageSize < total ? { ...input, page: page + 1 } : undefined;
}

const cursorIn = (url: string | undefined): string | undefined =>
  url ? (new URL(url, "http://api").searchParams.get("cursor") ?? undefined) : undefined;
