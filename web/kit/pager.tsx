import { Button } from "./button.tsx";
import { Icon } from "./icon.tsx";
import { LANGUAGE } from "./language.ts";

/** Pages by number. `onPage` puts the number into the URL. */
export function Pager({
  page,
  pageSize,
  total,
  onPage,
}: {
  readonly page: number;
  readonly pageSize: number;
  readonly total: number;
  readonly onPage: (page: number) => void;
}) {
  const pages = Math.max(1, Math.ceil(total / pageSize));
  const [first, last] = [Math.min(total, (page - 1) * pageSize + 1), Math.min(total, page * pageSize)];
  const number = new Intl.NumberFormat(LANGUAGE);
  return (
    <nav class="pager" aria-label="Pages">
      <span class="number">
        {number.format(first)}–{number.format(last)} of {number.format(total)}
      </span>
      {pages > 1 && (
        <span class="row">
          <Button size="small" disabled={page <= 1} onClick={() => onPage(page - 1)}>
            <Icon name="left" /> Previous
          </Button>
          <Button size="small" disabled={page >= pages} onClick={() => onPage(page + 1)}>
            Next <Icon name="right" />
          </Button>
        </span>
      )}
    </nav>
  );
}
