// A table over rows of the server. Below 640 px each row is a card: the roles keep it a table for screen readers, since a
// browser takes them from elements that are no longer laid out as one.
/* oxlint-disable jsx-a11y/no-redundant-roles, jsx-a11y/no-interactive-element-to-noninteractive-role -- see above */
import type { ComponentChildren } from "preact";

export interface Column<R> {
  readonly head: string;
  readonly cell: (row: R) => ComponentChildren;
  /** Numbers stand at the end. Default `start`. */
  readonly align?: "start" | "end" | undefined;
  /** For a cell without words, such as buttons: the card shows no label for it. */
  readonly bare?: boolean | undefined;
}

export function Table<R>({
  label,
  columns,
  rows,
  keyOf,
  busy = false,
}: {
  /** What the rows are. */
  readonly label: string;
  readonly columns: readonly Column<R>[];
  readonly rows: readonly R[];
  readonly keyOf: (row: R) => string;
  /** Newer rows are on their way. */
  readonly busy?: boolean | undefined;
}) {
  return (
    <div class="framed">
      <table class="table" role="table" aria-label={label} aria-busy={busy}>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map(({ head, align }) => (
              <th key={head} role="columnheader" scope="col" class={align ?? ""}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map(row => (
            <tr key={keyOf(row)} role="row">
              {columns.map(({ head, cell, align, bare }) => (
                <td key={head} role="cell" class={align ?? ""} data-label={bare ? "" : head}>
                  <div>{cell(row)}</div>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
