// Images of things that an action knows: `/images/<id>/<width>.<format>`. Width and format are in the path, so that a network
// before the gateway needs no `Vary` and knows an image by its ending.
//
//   1. the action says where the original is; a thing without one has a drawing
//   2. the original is fetched within limits (`original.ts`)
//   3. it is made smaller on a thread, a few at once (`resize.ts`), and kept in memory by its address
//
// An original that cannot be had is a drawing for a minute: a page without its picture is better than one that is broken.
import type { IncomingMessage, ServerResponse } from "node:http";
import { LRUCache } from "lru-cache";
import type { ServiceBroker } from "moleculer";
import type { Meta } from "../../contract/index.ts";
import { pathOf, SECURITY_HEADERS, type Handler } from "../../http/siblings.ts";
import { plainError, Semaphore } from "../../kernel/index.ts";
import { Networks } from "../../stream/siblings.ts";
import { ANONYMOUS } from "../auth/authentication.ts";
import { tagHeadersOf } from "../cache/cache-policy.ts";
import { gatewayErrors } from "../errors.ts";
import { contentOf, sendFile, type FileContent } from "../web/send-file.ts";
import { imageLimits as limits } from "./image-limits.ts";
import { Originals } from "./original.ts";
import { placeholderOf } from "./placeholder.ts";
import { FORMATS, loadResize, type Format, type Resize } from "./resize.ts";

export interface ImagesOptions {
  /** The action that knows the things, by `{ id }`; what everybody may read. It refuses unknown ids. */
  readonly action: string;
  /** Of its answer: the address of the original, and the name for a drawing. */
  readonly imageOf: (answer: any) => { readonly address: string | undefined; readonly name: string };
  /** Tag of the images of a thing; a change of its image purges it. */
  readonly tag: (id: string) => string;
}
export interface ImagesSetting {
  readonly broker: ServiceBroker;
  readonly folder: string | undefined;
  readonly networks: readonly string[];
  readonly bytesMax: number;
  readonly log: { info(line: string): void; warn(line: string): void };
  readonly fail: (req: IncomingMessage, res: ServerResponse, error: unknown) => void;
  /** Default sharp, if it is installed. */
  readonly load?: () => Promise<Resize | undefined>;
}

interface Image {
  readonly content: FileContent;
  readonly type: string;
}
interface Wanted {
  readonly id: string;
  readonly width: number;
  readonly format: Format;
}

/** A day in networks, which are told of a change; an hour in browsers, which are not. */
const KEPT = "public, max-age=3600, s-maxage=86400, stale-while-revalidate=86400, stale-if-error=604800";
/** Of a drawing in place of an image that could not be had. */
const KEPT_BRIEFLY = "public, max-age=60, s-maxage=60";
const PATH = /^\/images\/(?<id>[\w-]{1,100})\/(?<width>[1-9]\d{0,4})\.(?<format>\w+)$/;

export class Images {
  readonly #options: ImagesOptions;
  readonly #setting: ImagesSetting;
  readonly #originals: Originals;
  readonly #images: LRUCache<string, Image>;
  readonly #making = new Map<string, Promise<Image>>();
  /** Why an original could not be had, by its address. */
  readonly #failed = new LRUCache<string, string>({ max: limits.failedMax, ttl: limits.failedMs });
  #resize: Promise<Resize | undefined> | undefined;
  readonly #turn = new Semaphore(limits.atOnce, limits.waitingMax, () => new Busy());

  constructor(options: ImagesOptions, setting: ImagesSetting) {
    this.#options = options;
    this.#setting = setting;
    this.#originals = new Originals({ networks: new Networks(setting.networks), folder: setting.folder });
    this.#images = new LRUCache({
      maxSize: Math.max(1, setting.bytesMax),
      sizeCalculation: ({ content }, key) => content.body.bytes.length + key.length + 200,
    });
  }

  /** The handler of an image's path; undefined for any other. */
  handlerFor(req: IncomingMessage): Handler | undefined {
    const wanted = wantedIn(pathOf(req));
    if (!wanted) return undefined;
    return (_req, res) => void this.#answer(req, res, wanted).catch(error => this.#setting.fail(req, res, error));
  }

  async #answer(req: IncomingMessage, res: ServerResponse, wanted: Wanted): Promise<void> {
    const { action, imageOf, tag } = this.#options;
    const meta: Meta = { user: ANONYMOUS };
    const found = await this.#setting.broker.call(action, { id: wanted.id }, { meta, timeout: limits.askMs });
    const { address, name } = imageOf(found);
    const image = address === undefined ? undefined : await this.#imageAt(address, wanted);
    if (res.destroyed) return;
    const { content, type } = image ?? { content: contentOf(placeholderOf(name)), type: "image/svg+xml" };
    for (const [field, value] of Object.entries(tagHeadersOf([tag(wanted.id)]))) res.setHeader(field, value);
    // It does not differ by `Accept`, in which every browser lists other types of images.
    res.setHeader("Vary", "Accept-Encoding, Origin");
    const isMissing = address !== undefined && image === undefined;
    const about = { "Content-Type": type, "Cache-Control": isMissing ? KEPT_BRIEFLY : KEPT };
    sendFile(req, res, content, about, SECURITY_HEADERS);
  }

  /** Undefined for one that could not be had a moment ago. Refuses (503) when too many wait. */
  async #imageAt(address: string, { width, format }: Wanted): Promise<Image | undefined> {
    const key = `${width} ${format} ${address}`;
    const kept = this.#images.get(key);
    if (kept) return kept;
    if (this.#failed.has(address)) return undefined;
    const making = this.#making.get(key) ?? this.#make(key, address, width, format);
    try {
      return await making;
    } catch (error) {
      if (error instanceof Busy) throw gatewayErrors.SATURATED();
      return undefined;
    }
  }

  #make(key: string, address: string, width: number, format: Format): Promise<Image> {
    const making = this.#turn.run(async () => {
      const original = await this.#originals.get(address);
      const resize = await (this.#resize ??= this.#loaded());
      const { bytes, type } = resize ? await resize(original, width, format) : original;
      const image = { content: contentOf(bytes), type };
      this.#images.set(key, image);
      return image;
    });
    this.#making.set(key, making);
    making
      .catch((error: unknown) => {
        if (error instanceof Busy || this.#failed.has(address)) return;
        const why = plainError(error).message;
        this.#failed.set(address, why);
        this.#setting.log.warn(`the image ${address} cannot be shown: ${why}`);
      })
      .finally(() => this.#making.delete(key));
    return making;
  }

  async #loaded(): Promise<Resize | undefined> {
    const { load = loadResize } = this.#setting;
    const resize = await load();
    if (!resize) this.#setting.log.info("images are given as they are: the optional package sharp is not installed");
    return resize;
  }
}

/** More images are being made than may wait. */
class Busy extends Error {}

function wantedIn(path: string): Wanted | undefined {
  const { id, width, format } = PATH.exec(path)?.groups ?? {};
  if (id === undefined || !(limits.widths as readonly number[]).includes(Number(width))) return undefined;
  return (FORMATS as readonly string[]).includes(format!)
    ? { id, width: Number(width), format: format as Format }
    : undefined;
}
