// One source for a schema: a route, or another action, that takes fields of a contract picks them from there. A copy
// drifts: it loses a keyword (`writeOnly`), or keeps a bound that the owner has moved.
import type { TProperties } from "typebox";

/** Some fields of a command's or an action's params: `pick(contract.commands.redeem, "points")`. */
export function pick<P extends TProperties, K extends keyof P & string>(properties: P, ...names: K[]): Pick<P, K> {
  return Object.fromEntries(names.map(name => [name, properties[name]])) as Pick<P, K>;
}

/** All fields but some: `omit(contract.commands.open, "owner")`. */
export function omit<P extends TProperties, K extends keyof P & string>(properties: P, ...names: K[]): Omit<P, K> {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => !names.includes(name as K))) as Omit<P, K>;
}
