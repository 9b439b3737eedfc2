import Type from "typebox";
import { defineFormat } from "@valence/runtime/contract";

/** Names of hosts that are no one's on the internet: of this machine, of a private network, of a cloud's metadata. */
const PRIVATE_NAME = /(?:^|\.)(?:localhost|local|internal|intranet|lan|home|corp|test|invalid|localdomain)$/;

/** An IPv4 address as the URL parser writes each form of one; IPv6 addresses have brackets and no dot. */
const ADDRESS = /^\d+(?:\.\d+){3}$/;

/** A segment `.` or `..`, in each way of writing that browsers resolve: such a path is another one than it says. */
const DOT_SEGMENT = /(?:^|[/\\])(?:\.|%2e){1,2}(?=[/\\]|$)/i;

/**
 * Whether a picture lies where its visitors can fetch it: a path of ours, or https on a host with a public name. We
 * fetch no picture; a service that makes thumbnails one day would, and would reach what only we can reach.
 */
export function isPublicImage(text: string): boolean {
  if (text.startsWith("/")) return !DOT_SEGMENT.test(text.split(/[?#]/, 1)[0]!);
  if (!URL.canParse(text)) return false;
  // The parser writes every form of an address in the usual one: 2130706433 is 127.0.0.1.
  const { protocol, hostname, username, password } = new URL(text);
  const host = hostname.replace(/\.$/, "");
  return (
    protocol === "https:" &&
    username + password === "" &&
    host.includes(".") &&
    !ADDRESS.test(host) &&
    !PRIVATE_NAME.test(host)
  );
}

/**
 * URL of a product's picture: https, or a path of ours. Two slashes, or a slash and a backslash, which browsers read as
 * one, would begin another host's name. No character in it is invisible or changes the direction of the text.
 */
export const Image = Type.String({
  maxLength: 500,
  pattern: "^(https://[^\\s\\p{C}]+|/(?![/\\\\])[^\\s\\p{C}]*)$",
  format: defineFormat("image", {
    check: isPublicImage,
    says: "must be an https URL on a host with a public name, or a path",
    example: "/images/mug.jpg",
  }),
});
