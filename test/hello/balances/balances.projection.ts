import Type from "typebox";
import { defineProjection, type Table } from "@valence/runtime/projection";

interface Balance {
  id: string;
  points: number;
  asOf: string;
}
const add = async (balances: Table<Balance>, { stream, at }: { stream: string; at: string }, points: number) =>
  balances.upsert({ id: stream, points: ((await balances.find(stream))?.points ?? 0) + points, asOf: at });

export const Balances = defineProjection({
  name: "balances",
  version: 1,
  tables: { balances: { id: Type.String(), points: Type.Integer(), asOf: Type.String() } },
  on: {
    "account.opened": (event, { balances }) => add(balances, event, 0),
    "account.earned": (event, { balances }) => add(balances, event, event.data.points),
    "account.redeemed": (event, { balances }) => add(balances, event, -event.data.points),
    "account.refunded": (event, { balances }) => add(balances, event, event.data.points),
  },
});
