// Actors whose record cannot be read: they answer nothing until it is repaired, or the code can read it.
import { useSignal } from "@preact/signals";
import { Button, Empty, Loaded, Partial, Table, Time, toast, useResource } from "../../../kit/index.ts";
import { api } from "../../console.ts";
import { ActDialog, type Act } from "../../parts/act.tsx";
import { actorAddress } from "../../parts/address.ts";
import { News, useFresh } from "../../parts/fresh.tsx";
import { Head } from "../../parts/head.tsx";
import { mayAct } from "../../parts/rights.ts";

interface Quarantined {
  readonly type: string;
  readonly id: string;
  readonly service: string;
  readonly reason: string;
  readonly at?: string;
}

interface Page {
  readonly quarantined: readonly Quarantined[];
  readonly silent?: readonly string[];
}
const read = (signal?: AbortSignal): Promise<Page> =>
  api.ops.quarantined({ limit: 500 }, { signal }) as unknown as Promise<Page>;
const rowsOf = ({ quarantined }: Page) => quarantined.map(({ type, id, reason }) => [`${type} ${id}`, reason] as const);

export default function Quarantine() {
  const list = useResource("quarantine", read, { keeps: true });
  const fresh = useFresh("quarantine", list, () => read(), rowsOf);
  const act = useSignal<Act | undefined>(undefined);
  return (
    <div class="stack loose">
      <Head title="Quarantine" of={list} />
      <News of={[fresh]} />
      <Loaded of={list}>
        {({ quarantined, silent = [] }) => (
          <>
            {silent.length > 0 && <Partial silent={silent} onRetry={list.reload} />}
            {quarantined.length === 0 ? (
              <Empty title="No actor is in quarantine" icon="check">
                An actor whose record cannot be read is kept here, apart from the others, until it can.
              </Empty>
            ) : (
              <Table<Quarantined>
                label="Actors in quarantine"
                rows={quarantined}
                keyOf={({ type, id }) => `${type} ${id}`}
                columns={[
                  {
                    head: "Actor",
                    cell: actor => (
                      <a href={actorAddress(actor)}>
                        {actor.type} <code>{actor.id}</code>
                      </a>
                    ),
                  },
                  { head: "Why", cell: ({ reason }) => reason },
                  { head: "Since", cell: ({ at }) => (at === undefined ? "–" : <Time at={at} />) },
                  ...(mayAct()
                    ? [
                        {
                          head: "What to do",
                          bare: true,
                          cell: (actor: Quarantined) => (
                            <Button size="small" onClick={() => (act.value = releasing(actor, list.reload))}>
                              Release this actor
                            </Button>
                          ),
                        },
                      ]
                    : []),
                ]}
              />
            )}
          </>
        )}
      </Loaded>
      <ActDialog act={act.value} onClose={() => (act.value = undefined)} />
    </div>
  );
}

const releasing = ({ type, id }: Quarantined, reload: () => void): Act => ({
  title: "Release this actor",
  says: (
    <p>
      {type} <code>{id}</code> is read again. If its record still cannot be read, it is back here at once.
    </p>
  ),
  button: "Release this actor",
  command: `actor ${type} ${id} release`,
  async run(note) {
    await api.ops.releaseQuarantine({ type, id, note });
    toast("The actor was read again.");
    reload();
  },
});
