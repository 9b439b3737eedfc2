// How the console looks, where one is signed in, and what is done seldom.
import { useSignal } from "@preact/signals";
import {
  Button,
  Check,
  Loaded,
  showsUtc,
  Status,
  Table,
  ThemeSwitch,
  Time,
  toast,
  useResource,
} from "../../../kit/index.ts";
import type { RowOf } from "../../../../client/index.ts";
import { api, session } from "../../console.ts";
import { ActDialog, type Act } from "../../parts/act.tsx";
import { Head } from "../../parts/head.tsx";
import { mayAct } from "../../parts/rights.ts";
import { Archive } from "./archive.tsx";
import { Configuration } from "./configuration.tsx";

type Session = RowOf<typeof api.me.sessions>;

export default function Settings() {
  return (
    <div class="stack loose">
      <Head title="Settings" />
      <section class="card stack" aria-label="Looks">
        <h2>Looks</h2>
        <ThemeSwitch />
        <Check
          label="Times in UTC"
          checked={showsUtc.value}
          onChange={({ currentTarget }) => (showsUtc.value = currentTarget.checked)}
        />
      </section>
      <Sessions />
      {mayAct() && <Archive />}
      <Configuration />
    </div>
  );
}

function Sessions() {
  const sessions = useResource("sessions", signal => api.me.sessions({ pageSize: 100 }, { signal }), { keeps: true });
  const act = useSignal<Act | undefined>(undefined);
  return (
    <section class="stack" aria-label="Sessions">
      <div class="row ends">
        <h2>Where {session.user.value?.email} is signed in</h2>
        {(sessions.data?.rows.length ?? 0) > 1 && (
          <Button size="small" kind="danger" onClick={() => (act.value = endingOthers(sessions.reload))}>
            End all other sessions
          </Button>
        )}
      </div>
      <Loaded of={sessions}>
        {({ rows }) => (
          <Table<Session>
            label="Sessions"
            rows={rows}
            busy={sessions.isLoading}
            keyOf={({ id }) => id}
            columns={[
              {
                head: "Device",
                cell: ({ device, current }) => (
                  <div class="row">
                    {device} {current && <Status tone="good">this one</Status>}
                  </div>
                ),
              },
              { head: "Address", cell: ({ address }) => address ?? "–" },
              { head: "Since", cell: ({ createdAt }) => <Time at={createdAt} /> },
              { head: "Last used", cell: ({ lastUsedAt }) => <Time at={lastUsedAt} /> },
              {
                head: "What to do",
                bare: true,
                cell: one =>
                  !one.current && (
                    <Button size="small" onClick={() => (act.value = ending(one, sessions.reload))}>
                      End session
                    </Button>
                  ),
              },
            ]}
          />
        )}
      </Loaded>
      <ActDialog act={act.value} onClose={() => (act.value = undefined)} />
    </section>
  );
}

const ending = ({ id, device }: Session, reload: () => void): Act => ({
  title: "End this session",
  says: <p>{device} is signed out, and has to sign in again.</p>,
  button: "End the session",
  kind: "danger",
  wantsNote: false,
  async run() {
    await api.me.endSession({ id });
    toast("The session is over.");
    reload();
  },
});

const endingOthers = (reload: () => void): Act => ({
  title: "End all other sessions",
  says: (
    <p>Every other browser and program that is signed in with your account has to sign in again, the shop’s too.</p>
  ),
  button: "End them",
  kind: "danger",
  wantsNote: false,
  async run() {
    await api.me.endSessions({ others: true });
    toast("All other sessions are over.");
    reload();
  },
});
