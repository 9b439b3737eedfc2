// What the nodes are configured with. Secrets never come here.
import { useSignal } from "@preact/signals";
import { Check, Empty, Loaded, Partial, Table, useResource } from "../../../kit/index.ts";
import type { AnswerOf } from "../../../../client/index.ts";
import { api } from "../../console.ts";

type Setting = AnswerOf<typeof api.ops.configuration>["settings"][number];

export function Configuration() {
  const all = useSignal(false);
  const settings = useResource(`${all.value}`, signal => api.ops.configuration({ all: all.value }, { signal }), {
    keeps: true,
  });
  return (
    <section class="stack" aria-label="Configuration">
      <div class="row ends">
        <h2>Configuration</h2>
        <Check
          label="With the defaults of what is not set"
          checked={all.value}
          onChange={({ currentTarget }) => (all.value = currentTarget.checked)}
        />
      </div>
      <Loaded of={settings}>
        {({ settings, silent }) => {
          const nodes = new Set(settings.flatMap(setting => setting.nodes));
          return (
            <>
              {silent.length > 0 && <Partial silent={silent} />}
              {settings.length === 0 ? (
                <Empty title="Nothing is set" icon="gear">
                  Everything has its default.
                </Empty>
              ) : (
                <Table<Setting>
                  label="Variables of the environment"
                  rows={settings}
                  keyOf={({ name, value, isSet }) => `${name} ${isSet} ${value}`}
                  columns={[
                    { head: "Variable", cell: ({ name }) => <code>{name}</code> },
                    {
                      head: "Value",
                      cell: ({ value, isSet }) =>
                        isSet ? <code>{value}</code> : <span class="soft">{value || "no default"}</span>,
                    },
                    {
                      head: "Nodes",
                      cell: setting => (setting.nodes.length === nodes.size ? "all" : setting.nodes.join(", ")),
                    },
                  ]}
                />
              )}
            </>
          );
        }}
      </Loaded>
    </section>
  );
}
