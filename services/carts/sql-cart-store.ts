// Carts in SQL: a row a line, a row a cart for its version, a row a claim. A change that depends on what it has read
// holds the cart's lock.
import type { Knex } from "knex";
import { conditionFailed } from "@valence/runtime/contract";
import type { Database } from "@valence/runtime/database";
import { rfc3339 } from "@valence/runtime/kernel";
import type { CartLimits, CartStore, Outcome, Taken } from "./cart-store.ts";

interface Row {
  owner: string;
  product_id: string;
  quantity: number;
  added_at: string;
  updated_at: string;
}
interface ClaimRow {
  order_id: string;
  command_id: string;
  owner: string;
  version: number;
  state: "open" | Outcome;
  /** JSON of the lines that left the cart; empty once the claim has ended. */
  lines: string;
  taken_at: number;
}
type ClaimedLine = Pick<Row, "product_id" | "quantity" | "added_at">;

export function sqlCartStore(database: Database): CartStore {
  const { knex } = database;
  const inTurn = <T>(owner: string, work: (trx: Knex.Transaction) => Promise<T>): Promise<T> =>
    database.transaction(work, { lock: `cart/${owner}` });
  const linesOf = (owner: string, within: Knex = knex) =>
    within<Row>("cart_items").where({ owner }).orderBy(["added_at", "product_id"]);
  const openClaim = (orderId: string, within: Knex = knex): Promise<ClaimRow | undefined> =>
    within<ClaimRow>("cart_claims").where({ order_id: orderId, state: "open" }).first();
  const changed = (owner: string, trx: Knex.Transaction) =>
    trx("carts")
      .insert({ owner, version: 1 })
      .onConflict("owner")
      .merge({ version: trx.raw("carts.version + 1") });

  const mustHave = async (owner: string, version: number | undefined, trx: Knex.Transaction): Promise<void> => {
    if (version === undefined) return;
    const cart: { version: number } | undefined = await trx("carts").where({ owner }).first("version");
    if ((cart?.version ?? 0) !== version) throw conditionFailed();
  };

  return {
    async get(owner) {
      // The version is read first: it may be older than the lines, never newer.
      const cart: { version: number; order_id: string | null; taken_at: number }[] = await knex("carts")
        .leftJoin("cart_claims", on => on.on("cart_claims.owner", "carts.owner").andOnVal("state", "open"))
        .where("carts.owner", owner)
        .select("carts.version as version", "order_id", "taken_at");
      const claims = cart.filter(row => row.order_id !== null);
      const now = claims.length > 0 ? await database.now() : 0;
      const rows = await linesOf(owner);
      const times = rows.map(row => row.updated_at).sort();
      return {
        items: rows.map(row => ({ productId: row.product_id, quantity: row.quantity })),
        ...(times.length > 0 && { updatedAt: times.at(-1)! }),
        version: cart[0]?.version ?? 0,
        claims: claims.map(row => ({ orderId: row.order_id!, ageMs: now - row.taken_at })),
      };
    },

    async put(owner, productId, quantity, linesMax, ifVersion) {
      const at = rfc3339(await database.now());
      return inTurn(owner, async trx => {
        await mustHave(owner, ifVersion, trx);
        const others = await trx<Row>("cart_items")
          .where({ owner })
          .whereNot({ product_id: productId })
          .count({ n: "*" });
        if (Number(others[0]!["n"]) >= linesMax) return false;
        await trx<Row>("cart_items")
          .insert({ owner, product_id: productId, quantity, added_at: at, updated_at: at })
          .onConflict(["owner", "product_id"])
          .merge(["quantity", "updated_at"]);
        await changed(owner, trx);
        return true;
      });
    },

    remove: (owner, productId, ifVersion) =>
      inTurn(owner, async trx => {
        await mustHave(owner, ifVersion, trx);
        const removed = await trx<Row>("cart_items").where({ owner, product_id: productId }).del();
        if (removed > 0) await changed(owner, trx);
      }),

    clear: (owner, before, ifVersion) =>
      inTurn(owner, async trx => {
        await mustHave(owner, ifVersion, trx);
        const lines = trx<Row>("cart_items").where({ owner });
        const removed = await (before === undefined ? lines : lines.where("updated_at", "<=", before)).del();
        if (removed > 0) await changed(owner, trx);
      }),

    take: (owner, { orderId, commandId }) =>
      inTurn(owner, async (trx): Promise<Taken> => {
        const known: ClaimRow | undefined = await trx<ClaimRow>("cart_claims").where({ order_id: orderId }).first();
        if (known && (known.command_id === commandId || known.state !== "returned")) {
          const isOwn = known.owner === owner && known.command_id === commandId;
          return { version: known.version, items: isOwn ? itemsOf(JSON.parse(known.lines)) : [] };
        }
        const rows = await linesOf(owner, trx);
        const cart: { version: number } | undefined = await trx("carts").where({ owner }).first("version");
        const version = cart?.version ?? 0;
        const lines = rows.map(({ product_id, quantity, added_at }) => ({ product_id, quantity, added_at }));
        await trx<ClaimRow>("cart_claims")
          .insert({
            order_id: orderId,
            command_id: commandId,
            owner,
            version,
            state: lines.length > 0 ? "open" : "returned",
            lines: JSON.stringify(lines),
            taken_at: await database.now(trx),
          })
          .onConflict("order_id")
          .merge();
        if (lines.length > 0) {
          await trx<Row>("cart_items").where({ owner }).del();
          await changed(owner, trx);
        }
        return { version, items: itemsOf(lines) };
      }),

    async claim(orderId) {
      const claim = await openClaim(orderId);
      return claim && { orderId, commandId: claim.command_id, version: claim.version };
    },

    async settle(orderId, outcome, limits) {
      const claim = await openClaim(orderId);
      if (!claim) return;
      await inTurn(claim.owner, async trx => {
        const ended = await trx<ClaimRow>("cart_claims")
          .where({ order_id: orderId, command_id: claim.command_id, state: "open" })
          .update({ state: outcome, lines: "[]" });
        if (ended === 0 || outcome === "kept") return;
        await giveBack(claim, trx, limits);
        await changed(claim.owner, trx);
      });
    },
  };

  async function giveBack({ owner, lines }: ClaimRow, trx: Knex.Transaction, limits: CartLimits): Promise<void> {
    const at = rfc3339(await database.now(trx));
    const held = new Map((await linesOf(owner, trx)).map(row => [row.product_id, row.quantity]));
    for (const { product_id, quantity, added_at } of JSON.parse(lines) as ClaimedLine[]) {
      const there = held.get(product_id);
      if (there === undefined && held.size >= limits.linesMax) continue;
      held.set(product_id, Math.min((there ?? 0) + quantity, limits.quantityMax));
      await trx<Row>("cart_items")
        .insert({ owner, product_id, quantity: held.get(product_id)!, added_at, updated_at: at })
        .onConflict(["owner", "product_id"])
        .merge(["quantity", "updated_at"]);
    }
  }
}

const itemsOf = (lines: readonly ClaimedLine[]) =>
  lines.map(({ product_id, quantity }) => ({ productId: product_id, quantity }));
