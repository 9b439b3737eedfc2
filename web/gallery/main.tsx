// The parts of the kit side by side, for those who write pages: `npm run dev:web`, then /gallery. No build has it.
import { useSignal } from "@preact/signals";
import { render } from "preact";
import { LocationProvider } from "preact-iso";
import {
  Button,
  Check,
  Combobox,
  Dialog,
  Empty,
  Failure,
  Field,
  Money,
  Pager,
  Partial,
  Select,
  SkeletonRows,
  Status,
  Table,
  TextArea,
  ThemeSwitch,
  Time,
  toast,
  Toasts,
} from "../kit/index.ts";
import "./gallery.css";

const rows = [
  { id: "018f3c2d-0a0b-7000-8000-000000000001", tone: "bad", state: "stuck", amount: 123_456_789 },
  { id: "018f3c2d-0a0b-7000-8000-000000000002", tone: "busy", state: "retrying", amount: 1_800 },
] as const;
const cities = ["Amsterdam", "Antwerp", "Athens", "Barcelona", "Berlin"];

function Gallery() {
  const open = useSignal(false);
  const city = useSignal("");
  return (
    <LocationProvider>
      <main class="gallery stack loose">
        <div class="row ends">
          <h1>Kit</h1>
          <ThemeSwitch />
        </div>
        <section class="row" aria-label="Buttons">
          <Button kind="primary">Place order</Button>
          <Button>Retry saga</Button>
          <Button kind="danger">Discard letter</Button>
          <Button kind="quiet">Cancel</Button>
          <Button busy>Retry saga</Button>
          <Button disabled>Retry saga</Button>
          <Button size="small">Next</Button>
        </section>
        <section class="row" aria-label="States">
          <Status tone="good">completed</Status>
          <Status tone="busy">retrying</Status>
          <Status tone="warn">late</Status>
          <Status tone="bad">stuck</Status>
          <Status tone="idle">waiting</Status>
        </section>
        <section class="fields" aria-label="Fields">
          <Field label="E-mail address" type="email" hint="We write to it once." />
          <Field label="Postal code" value="N1" error="This is no postal code of Germany." />
          <Select label="Country">
            <option>Germany</option>
          </Select>
          <TextArea label="Note" />
          <Combobox
            label="City"
            value={city.value}
            choices={cities
              .filter(name => name.toLowerCase().startsWith(city.value.toLowerCase()))
              .map(name => ({ value: name, label: name }))}
            onInput={text => (city.value = text)}
            onChoose={({ label }) => (city.value = label)}
          />
          <Check label="Only stuck ones" />
        </section>
        <Table
          label="Sagas"
          rows={rows}
          keyOf={({ id }) => id}
          columns={[
            { head: "Saga", cell: ({ id }) => <span class="mono">{id}</span> },
            { head: "State", cell: ({ tone, state }) => <Status tone={tone}>{state}</Status> },
            { head: "Since", cell: () => <Time at={new Date(Date.now() - 4_000_000).toISOString()} /> },
            { head: "Amount", align: "end", cell: ({ amount }) => <Money amount={amount} currency="EUR" /> },
          ]}
        />
        <Pager page={2} pageSize={20} total={123_456} onPage={() => {}} />
        <Failure
          error={{ message: "the catalog does not answer", requestId: "0b0c1d2e" }}
          asOf={new Date().toISOString()}
          onRetry={() => {}}
        />
        <Partial silent={["orders", "payments"]} onRetry={() => {}} />
        <Empty title="Nothing needs you" icon="check">
          No stuck sagas, no dead letters.
        </Empty>
        <SkeletonRows />
        <div class="row">
          <Button onClick={() => (open.value = true)}>Open a dialog</Button>
          <Button onClick={() => toast("Harbour Mug is in your cart.", { label: "Undo", run: () => {} })}>
            Show a toast
          </Button>
        </div>
        <Dialog title="Retry 12 sagas?" open={open.value} onClose={() => (open.value = false)}>
          <p>All that are stuck at payment because the provider does not answer.</p>
          <TextArea label="Why" />
          <footer>
            <Button onClick={() => (open.value = false)}>Leave them</Button>
            <Button kind="primary" onClick={() => (open.value = false)}>
              Retry 12 sagas
            </Button>
          </footer>
        </Dialog>
      </main>
      <Toasts />
    </LocationProvider>
  );
}

render(<Gallery />, document.getElementById("app")!);
