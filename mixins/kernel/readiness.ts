// Whether the services of this process can do their work: each service declares it, and the readiness probe collects it. A
// broker calls a service started when its `started` hook has ended; work that a service begins there without waiting for it
// (data of a first start, a cache that fills) is known to that service alone.

/** The method of a service schema that declares its readiness: `methods: { ready() { return this.filled; } }`. */
export interface DeclaresReadiness {
  /** Synchronous, without I/O: probes call it every second. Without this method a started service is ready. */
  ready(): boolean;
}

interface Services {
  readonly services: readonly object[];
}
type Declaring = Partial<DeclaresReadiness> & { readonly name: string };

/** Names of this broker's services whose `ready()` says no, in alphabetical order. */
export function unreadyServices({ services }: Services): string[] {
  return (services as readonly Declaring[])
    .filter(service => service.ready?.() === false)
    .map(({ name }) => name)
    .sort();
}
