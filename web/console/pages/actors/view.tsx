// Anything by its id, or the beginning of it.
import { useSignal } from "@preact/signals";
import { Empty, Field, Loaded, Partial, Status, Table, useQuery, useResource } from "../../../kit/index.ts";
import type { AnswerOf } from "../../../../client/index.ts";
import { api } from "../../console.ts";
import { addressOf } from "../../parts/address.ts";
import { Head } from "../../parts/head.tsx";

type Found = AnswerOf<typeof api.ops.search>;
type Hit = Found["hits"][number];
const NOTHING: Found = { q: "", hits: [], silent: [] };
/** Milliseconds after the last key. */
const TYPED_MS = 250;

export default function Actors() {
  const [{ q = "" }, change] = useQuery();
  const typing = useSignal<ReturnType<typeof setTimeout> | undefined>(undefined);
  const found = useResource(q, signal => (q === "" ? Promise.resolve(NOTHING) : api.ops.search({ q }, { signal })), {
    keeps: true,
  });
  const type = (text: string): void => {
    clearTimeout(typing.value);
    typing.value = setTimeout(() => change({ q: text.trim() }, { replace: true }), TYPED_MS);
  };
  return (
    <div class="stack loose">
      <Head title="Search" />
      <form role="search" onSubmit={event => event.preventDefault()}>
        <Field
          label="An id, or the beginning of one"
          hint="Of an order, a payment, a SKU, a saga, a request, a trace, a node; a customer by address."
          type="search"
          autofocus
          defaultValue={q}
          onInput={({ currentTarget }) => type(currentTarget.value)}
        />
      </form>
      <Loaded of={found}>
        {({ hits, silent }) => (
          <>
            {silent.length > 0 && <Partial silent={silent} onRetry={found.reload} />}
            {hits.length === 0 ? (
              <Empty title={q === "" ? "Type or paste an id" : "Nothing has this id"} icon="search">
                {q !== "" &&
                  `No actor, saga, request or trace begins with “${q}”. It may be archived, or older than what is searched.`}
              </Empty>
            ) : (
              <Table<Hit>
                label="What was found"
                rows={hits}
                keyOf={({ kind, id, service }) => `${kind} ${service} ${id}`}
                columns={[
                  { head: "Kind", cell: ({ kind }) => <Status tone="idle">{kind}</Status> },
                  { head: "What", cell: hit => <Title hit={hit} /> },
                  { head: "Service", cell: ({ service }) => service ?? "–" },
                ]}
              />
            )}
          </>
        )}
      </Loaded>
    </div>
  );
}

const Title = ({ hit: { title, look } }: { readonly hit: Hit }) => {
  const address = addressOf(look);
  return address === undefined ? <>{title}</> : <a href={address}>{title}</a>;
};
