// Streams that have ended leave the hot tables. What would go is tried first.
import { useSignal } from "@preact/signals";
import { Button, Failure, Field, Select, toast } from "../../../kit/index.ts";
import { api } from "../../console.ts";
import { ActDialog, type Act } from "../../parts/act.tsx";

/** Types whose actors end, and the journals of sagas. */
const TYPES = ["order", "payment", "shipment", "sagas"] as const;
/** Streams that one request looks at. */
const EXAMINED = 10_000;
const number = new Intl.NumberFormat();

interface Archived {
  readonly examined: number;
  readonly archived: number;
  readonly waiting: number;
  /** Where to go on. */
  readonly after?: string;
}

export function Archive() {
  const type = useSignal<string>(TYPES[0]);
  const days = useSignal("90");
  const isBusy = useSignal(false);
  const failure = useSignal<Error | undefined>(undefined);
  const tried = useSignal<Archived | undefined>(undefined);
  const act = useSignal<Act | undefined>(undefined);
  const olderThanDays = Number(days.value);
  const isWrong = days.value.trim() === "" || !(olderThanDays >= 0);
  const asked = { type: type.value, olderThanDays, limit: EXAMINED };
  const tryIt = async (): Promise<void> => {
    isBusy.value = true;
    failure.value = undefined;
    try {
      tried.value = (await api.ops.archive({ ...asked, dryRun: true })) as unknown as Archived;
    } catch (error) {
      failure.value = error as Error;
    } finally {
      isBusy.value = false;
    }
  };
  const forget = (): void => void (tried.value = undefined);
  return (
    <section class="card stack" aria-label="Archive">
      <h2>Archive</h2>
      <p class="soft small">
        Streams that have ended and that nobody needs any more leave the hot tables. They are read as before, and take
        no command any more.
      </p>
      <form
        class="filters"
        onSubmit={event => {
          event.preventDefault();
          if (!isWrong && !isBusy.value) void tryIt();
        }}
      >
        <Select
          label="What"
          value={type.value}
          onChange={({ currentTarget }) => {
            type.value = currentTarget.value;
            forget();
          }}
        >
          {TYPES.map(one => (
            <option key={one}>{one}</option>
          ))}
        </Select>
        <Field
          label="Days since the last event"
          inputMode="numeric"
          value={days.value}
          error={isWrong ? "Type a number of days." : undefined}
          onInput={({ currentTarget }) => {
            days.value = currentTarget.value;
            forget();
          }}
        />
        <Button type="submit" busy={isBusy.value}>
          Try it without doing it
        </Button>
      </form>
      {failure.value && <Failure error={failure.value} />}
      <div role="status">
        {tried.value && (
          <p>
            {number.format(tried.value.archived)} of {number.format(tried.value.examined)} would go
            {tried.value.waiting > 0 && `, ${number.format(tried.value.waiting)} are needed and stay`}
            {tried.value.after !== undefined && "; there are more, which are looked at after these"}.
          </p>
        )}
      </div>
      {tried.value !== undefined && tried.value.archived > 0 && (
        <div>
          <Button kind="danger" onClick={() => (act.value = archiving(asked, tried.value!, forget))}>
            Archive {number.format(tried.value.archived)} streams
          </Button>
        </div>
      )}
      <ActDialog act={act.value} onClose={() => (act.value = undefined)} />
    </section>
  );
}

const archiving = (
  asked: { readonly type: string; readonly olderThanDays: number; readonly limit: number },
  { archived }: Archived,
  forget: () => void,
): Act => ({
  title: `Archive ${number.format(archived)} streams`,
  says: (
    <p>
      Streams of <strong>{asked.type}</strong> whose last event is older than {number.format(asked.olderThanDays)} days
      leave the hot tables. There is no way back.
    </p>
  ),
  button: "Archive them",
  kind: "danger",
  typed: asked.type,
  async run(note) {
    const done = (await api.ops.archive({ ...asked, note })) as unknown as Archived;
    toast(`${number.format(done.archived)} streams are archived.`);
    forget();
  },
});
