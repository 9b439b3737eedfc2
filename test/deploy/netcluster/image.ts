// What the containers of the manifests have of their images: ours by its Dockerfile, the others by what their publishers say.
import { dirname } from "node:path";
import { DockerfileParser, type Dockerfile, type JSONInstruction } from "dockerfile-ast";
import { program, type Program } from "@valence/runtime/testing/servers";
import { isOurs } from "../workloads.ts";
import { read } from "../image.ts";

export interface Image {
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** Volumes that the image names: an empty folder each. */
  readonly writable: readonly string[];
  /** Folders of this machine that stand for layers of the image. */
  readonly shared: ReadonlyMap<string, string>;
}

/** Stands in the images for the authorities that the whole world knows. */
export const PUBLIC_AUTHORITY = "etc/ssl/valence-public.crt";

const SERVERS: Readonly<Record<string, Program & { readonly entrypoint: readonly string[] }>> = {
  nats: { name: "nats-server", package: "nats-server", entrypoint: ["nats-server"] },
  redis: { name: "redis-server", package: "redis-server", entrypoint: ["redis-server"] },
};

/** `cache`: the folder of compiled code, which a build of our image fills. */
export function imagesWith(cache: string): (name: string) => Image {
  const ours = ourImage(cache);
  return name => {
    if (isOurs({ image: name })) return ours;
    const server = SERVERS[/^[\w-]+/.exec(name)![0]];
    if (!server) throw new Error(`there is no ${name} here`);
    program(server);
    return { entrypoint: server.entrypoint, command: [], folder: "/data", env: {}, writable: [], shared: new Map() };
  };
}

function ourImage(cache: string): Image {
  const file = DockerfileParser.parse(read("Dockerfile"));
  const last = file.getInstructions().filter(one => one.getRange().start.line > lastStage(file));
  const of = (keyword: string) => last.filter(one => one.getKeyword() === keyword);
  const [command] = of("CMD") as JSONInstruction[];
  const env = Object.fromEntries(
    of("ENV").flatMap(one =>
      (one as unknown as { getProperties(): any[] })
        .getProperties()
        .map(property => [property.getName(), property.getValue()]),
    ),
  );
  return {
    entrypoint: [],
    command: command!.getJSONStrings().map(one => one.getJSONValue()),
    folder: of("WORKDIR")[0]!.getArgumentsContent()!,
    env: { ...env, RELEASE: "", NODE_EXTRA_CA_CERTS: `/${PUBLIC_AUTHORITY}` },
    writable: of("VOLUME").map(one => one.getArgumentsContent()!),
    shared: new Map([
      [env["NODE_COMPILE_CACHE"], cache],
      ["/usr/local/bin", dirname(process.execPath)],
    ]),
  };
}
const lastStage = (file: Dockerfile): number => file.getFROMs().at(-1)!.getRange().start.line;
