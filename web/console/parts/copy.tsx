// What is done here is done in a terminal by a command: the operation is the same.
import { Button, toast } from "../../kit/index.ts";

/** A page that came by plain HTTP from another machine has no clipboard. */
export async function copyCommand(command: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(command);
    toast("Copied: paste it into the REPL, or behind “npx valence ops”.");
  } catch {
    toast(`The browser lets this page copy nothing. The command: ${command}`);
  }
}

export function CopyCommand({ command }: { readonly command: string }) {
  return (
    <div class="row ends command">
      <code>{command}</code>
      <Button size="small" kind="quiet" onClick={() => copyCommand(command)}>
        Copy as command
      </Button>
    </div>
  );
}
