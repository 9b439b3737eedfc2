import { defineService } from "@valence/runtime/contract";
import { Crud } from "@valence/runtime/crud/mixin";
import { newId, rfc3339 } from "@valence/runtime/kernel";
import { contract } from "./contract.ts";
import { recordErrors } from "./errors.ts";
import { createRecords } from "./migrations/001-records.ts";
import { records, type Record } from "./record.ts";

const limits = {
  /** Rows of a page unless the caller asks otherwise. */
  pageSize: 20,
};

const found = (record: Record | undefined, id: string): Record => {
  if (!record) throw recordErrors.RECORD_NOT_FOUND({ id, field: "id" });
  return record;
};

export default defineService(contract, {
  mixins: [Crud({ ...records, migrations: [createRecords] })],
  actions: {
    list: {
      repeatable: true,
      async handler({ params: { pageSize = limits.pageSize, cursor } }) {
        const { rows, nextCursor } = await this.adapter.page({ sort: "name", limit: pageSize, offset: 0, cursor });
        return { rows: rows as Record[], ...(nextCursor !== undefined && { nextCursor }) };
      },
    },
    get: {
      repeatable: true,
      async handler({ params: { id } }) {
        return found(await this.adapter.findById(id), id);
      },
    },
    async create({ params }) {
      const at = rfc3339(await this.database.now());
      return this.adapter.insert({ ...params, id: newId(), createdAt: at, updatedAt: at });
    },
    async update({ params: { id, ...changes } }) {
      const updatedAt = rfc3339(await this.database.now());
      return found(await this.adapter.updateById(id, { $set: { ...changes, updatedAt } }), id);
    },
    async remove({ params: { id } }) {
      found(await this.adapter.removeById(id), id);
      return { id };
    },
  },
});
