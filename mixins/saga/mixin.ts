// The mixin of a service that runs sagas.
import { stopsFirst, stopTimeLeft } from "../kernel/index.ts";
import { keepsTables } from "../database/siblings.ts";
import { eventStoreOf } from "../event-store/siblings.ts";
import { Consuming, consumersOf, sharesOf } from "../stream/siblings.ts";
import type { Mixin } from "../contract/index.ts";
import type { Saga } from "./define-saga.ts";
import { SagaDriver } from "./driver.ts";
import { JournalLog } from "./journal-log.ts";
import { SAGA_LIMITS, type SagaLimits } from "./limits.ts";
import { countEnds, measureSagas } from "./measure.ts";
import { operations, type SagaService } from "./operations.ts";
import { SagaShare } from "./share.ts";
import { Watchdog } from "./watchdog.ts";

export { SAGA_LIMITS, type SagaLimits } from "./limits.ts";
export type { ActorLink, LaneStep, NextTurn, Possible, SagaDetail, StepDetail, UndoDetail } from "./detail.ts";
export type { SagaCount, SagaSummary } from "./find.ts";
export type { BulkAnswer } from "./in-bulk.ts";

type Running = SagaService & { watchdog?: Watchdog; stopMeasuring?: () => void };

export interface SagaOptions {
  readonly limits?: Partial<SagaLimits>;
}

/**
 * Runs sagas: `mixins: [Sagas(Fulfilment)]`. Each starting event makes one saga, which ends completed or compensated,
 * through any crash, or is parked as stuck for an operator. Adds the operations `sagas`, `sagaCounts`, `saga`,
 * `retrySaga`, `compensateSaga`, `retrySagas`, `compensateSagas`, `annotateSaga`.
 */
export function Sagas(sagas: Saga | readonly Saga[], options: SagaOptions = {}): Mixin<{ readonly sagas: SagaDriver }> {
  const list: readonly Saga[] = Array.isArray(sagas) ? sagas : [sagas as Saga];
  const names = list.map(({ name }) => name);
  const limits = { ...SAGA_LIMITS, ...options.limits };
  return {
    mixins: [
      Consuming(
        names,
        list.map(({ startedBy }) => startedBy),
      ),
    ],
    metadata: { sagas: Object.fromEntries(names.map(name => [name, true])), journals: true },
    actions: operations,
    created(this: Running) {
      keepsTables(this, () => eventStoreOf(this));
      stopsFirst(this, async () => this.sagas?.leave());
    },
    async started(this: Running) {
      const store = await eventStoreOf(this);
      const ended = countEnds(this.broker, this.fullName);
      const shares = await sharesOf(this);
      const share = new SagaShare({
        count: shares.count,
        ownerOf: async (saga, partition) => (await shares.owners(saga))[partition],
      });
      const { broker, fullName: service } = this;
      this.sagas = new SagaDriver({ sagas: list, store, broker, service, limits, share, ended });
      this.journals = await JournalLog.open(this, store, this.sagas.journals);
      this.stopMeasuring = measureSagas(broker, service, store, limits);
      const watchdog = new Watchdog(this.sagas, broker, service, limits);
      this.watchdog = watchdog;
      const consumers = await consumersOf(this);
      for (const saga of list)
        consumers.add({
          name: saga.name,
          types: [saga.startedBy],
          react: event => this.sagas.start(saga, event),
          shared: partitions => watchdog.serve(saga, partitions),
          limits: { streamsAtOnce: limits.startsAtOnce },
        });
    },
    async stopped(this: Running) {
      this.stopMeasuring?.();
      this.journals?.stop();
      // Other nodes take its partitions before the calls at hand are waited for.
      await (await consumersOf(this)).stop();
      await this.watchdog?.stop();
      await this.sagas?.stop(stopTimeLeft(this.broker));
    },
  } as object as Mixin<{ readonly sagas: SagaDriver }>;
}
