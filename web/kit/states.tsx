// Loading, empty, failed and partial: what a screen shows where its rows would be.
import type { ComponentChildren, Ref } from "preact";
import { Button } from "./button.tsx";
import { Icon, type IconName } from "./icon.tsx";
import { Time } from "./time.tsx";

const WIDTHS = ["long", "middle", "short"] as const;

/** A bar in place of a text that is on its way. */
export const Skeleton = ({ width = "long" }: { readonly width?: (typeof WIDTHS)[number] | undefined }) => (
  <span class={`skeleton ${width}`} />
);

/** Bars in place of rows. A screen reader hears `label` once. */
export const SkeletonRows = ({
  rows = 5,
  label = "Loading",
}: {
  readonly rows?: number | undefined;
  readonly label?: string;
}) => (
  <div class="stack skeleton-rows" role="status">
    <span class="unseen">{label}</span>
    {Array.from({ length: rows }, (_, n) => (
      <Skeleton key={n} width={WIDTHS[n % WIDTHS.length]} />
    ))}
  </div>
);

/** Why there is nothing, and what to do next. */
export const Empty = ({
  title,
  icon = "box",
  heading,
  children,
  action,
}: {
  readonly title: string;
  /** Of `usePage`, where the page has nothing else: the title is its heading. */
  readonly heading?: Ref<HTMLHeadingElement> | undefined;
  readonly icon?: IconName | undefined;
  readonly children?: ComponentChildren | undefined;
  readonly action?: ComponentChildren | undefined;
}) => (
  <div class="empty">
    <Icon name={icon} />
    {heading ? (
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
    ) : (
      <h2>{title}</h2>
    )}
    {children && <p>{children}</p>}
    {action}
  </div>
);

interface Failed {
  readonly message: string;
  readonly requestId?: string | undefined;
}

/** What went wrong, the id by which the logs know it, a way to try again, and how old what is still shown is. */
export const Failure = ({
  error,
  asOf,
  onRetry,
}: {
  readonly error: Failed;
  /** RFC 3339, of the data that is still shown. */
  readonly asOf?: string | undefined;
  readonly onRetry?: (() => void) | undefined;
}) => (
  <div class="notice bad" role="alert">
    <div>
      <strong>{sentence(error.message)}</strong>
      {asOf !== undefined && (
        <span class="soft">
          What is shown is from <Time at={asOf} />.{" "}
        </span>
      )}
      {error.requestId !== undefined && (
        <span class="soft">
          Request <code>{error.requestId}</code>
        </span>
      )}
    </div>
    {onRetry && (
      <Button size="small" onClick={onRetry}>
        Try again
      </Button>
    )}
  </div>
);
const sentence = (text: string): string => {
  const upper = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(upper) ? upper : `${upper}.`;
};

/** Some have answered, others not: names them. */
export const Partial = ({ silent, onRetry }: { readonly silent: readonly string[]; readonly onRetry?: () => void }) => (
  <div class="notice warn" role="status">
    <div>
      <strong>This is not everything.</strong>
      No answer from {new Intl.ListFormat("en").format(silent)}.
    </div>
    {onRetry && (
      <Button size="small" onClick={onRetry}>
        Ask again
      </Button>
    )}
  </div>
);
