// Before a whole run: jest's workers are processes that it starts, too.
import "../servers/processes.ts";

export default function setup(): void {}
