// One row a thing, for the list of its owner.
import Type from "typebox";
import { defineProjection, type Table } from "@valence/runtime/projection";

const row = {
  id: Type.String(),
  owner: Type.String(),
  title: Type.String(),
  status: Type.String(),
  openedAt: Type.String(),
};
export type ThingRow = Type.Static<Type.TObject<typeof row>>;

async function change(rows: Table<ThingRow>, id: string, status: string): Promise<void> {
  const found = await rows.find(id);
  if (found) await rows.upsert({ ...found, status });
}

export const ThingList = defineProjection({
  name: "thing-list",
  version: 1,
  tables: { rows: row },
  indexes: { rows: [["owner", "openedAt", "id"]] },
  on: {
    "thing.opened": ({ stream, data, at }, { rows }) =>
      rows.upsert({ id: stream, owner: data.owner, title: data.title, status: "open", openedAt: at }),
    "thing.approved": ({ stream }, { rows }) => change(rows, stream, "approved"),
    "thing.declined": ({ stream }, { rows }) => change(rows, stream, "declined"),
  },
});
