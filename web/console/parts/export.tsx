// A list as a file that a spreadsheet opens: the API makes CSV of each page, and all pages are put together.
import { useSignal } from "@preact/signals";
import { Button, toast } from "../../kit/index.ts";

/** Pages of a file at most: 50,000 rows. */
const PAGES_MAX = 100;

type Answer = { readonly body: unknown; readonly headers: Headers };

/** `pages`: a page of the list as the API answers it; the next one is in its `Link`. */
export function Export({
  name,
  pages,
}: {
  readonly name: string;
  readonly pages: (
    cursor: string | undefined,
    options: { readonly headers: Readonly<Record<string, string>> },
  ) => Promise<Answer>;
}) {
  const isBusy = useSignal(false);
  const save = async (): Promise<void> => {
    isBusy.value = true;
    try {
      const texts: string[] = [];
      let cursor: string | undefined;
      do {
        const { body, headers } = await pages(cursor, { headers: { Accept: "text/csv" } });
        const text = String(body);
        // Each page begins with the names.
        texts.push(texts.length === 0 ? text : text.slice(text.indexOf("\n") + 1));
        cursor = nextIn(headers.get("Link"));
      } while (cursor !== undefined && texts.length < PAGES_MAX);
      download(`${name}.csv`, texts.join(""));
      if (cursor !== undefined) toast("The file has the first 50,000 rows: narrow the list to get the others.");
    } catch (error) {
      toast(`The file could not be made: ${(error as Error).message}`);
    } finally {
      isBusy.value = false;
    }
  };
  return (
    <Button size="small" busy={isBusy.value} onClick={save}>
      Export as CSV
    </Button>
  );
}

const nextIn = (link: string | null): string | undefined => {
  const url = /<([^>]+)>;\s*rel="?next"?/.exec(link ?? "")?.[1];
  return url === undefined ? undefined : (new URL(url, location.href).searchParams.get("cursor") ?? undefined);
};

function download(name: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
