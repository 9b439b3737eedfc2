// Pages by cursor: the next one is put behind those that are there.
import { useSignal } from "@preact/signals";
import { Button, Failure } from "../../kit/index.ts";

export function More({
  onMore,
  label = "Show more",
}: {
  readonly onMore: () => Promise<void>;
  readonly label?: string | undefined;
}) {
  const isBusy = useSignal(false);
  const failure = useSignal<Error | undefined>(undefined);
  const more = async (): Promise<void> => {
    isBusy.value = true;
    failure.value = undefined;
    try {
      await onMore();
    } catch (error) {
      failure.value = error as Error;
    } finally {
      isBusy.value = false;
    }
  };
  return (
    <>
      {failure.value && <Failure error={failure.value} onRetry={more} />}
      <Button busy={isBusy.value} onClick={more}>
        {label}
      </Button>
    </>
  );
}
