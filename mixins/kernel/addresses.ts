// Where the services of this process listen: each service that opens a port says so, and code that tells a person how to
// reach the process reads it here instead of reaching into the service's instance.

const addresses = new WeakMap<object, Map<string, string>>();

/** The service listens at this URL, until the broker is gone or the service says another. */
export function listensAt({ name, broker }: { name: string; broker: object }, url: string): void {
  const known = addresses.get(broker) ?? new Map<string, string>();
  addresses.set(broker, known.set(name, url));
}

/** The URL at which a service of this process listens; undefined when it is not here, or has not begun. */
export const urlOf = (broker: object, service: string): string | undefined => addresses.get(broker)?.get(service);
