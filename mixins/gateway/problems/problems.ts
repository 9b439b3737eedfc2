// `/problems/<code>`, the `type` of a problem as an address (RFC 9457, 3.1.1): what the error means and what to do, as a page for
// browsers and as JSON for programs, from the same declarations as the documentation. `/problems` lists them all.
//
// The declarations are read at the first request, so that a gateway that nobody asks pays nothing.
import type { IncomingMessage, ServerResponse } from "node:http";
import { callErrors } from "../../contract/index.ts";
import { appHeaders, JSON_TYPE, pathOf, SECURITY_HEADERS, type Handler } from "../../http/siblings.ts";
import { contentOf, sendFile, type FileContent } from "../web/send-file.ts";
import { cataloguesOf } from "./catalogues.ts";
import { explainedErrors, type Explained } from "./explained.ts";
import { problemList, problemPage, STYLE, STYLE_PATH } from "./problem-page.ts";

const LIST = "/problems";
const PATHS = /^\/problems(?:\/[a-z\d.-]+)?$/;
const HTML = "text/html; charset=utf-8";
const CSS = "text/css; charset=utf-8";
/** They change with a release alone. */
const CACHED = "public, max-age=300";
const PAGE_HEADERS = appHeaders([]);

class Problems {
  readonly #folder: string;
  #errors: Promise<ReadonlyMap<string, Explained>> | undefined;
  /** By type and path: there are some hundred errors, and unknown ones are not kept. */
  readonly #contents = new Map<string, FileContent>();

  /** `services`: their folder, absolute. */
  constructor(services: string) {
    this.#folder = services;
  }

  /** Refuses (404) an error that there is not. */
  async answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const path = pathOf(req);
    const isPage = req.headers.accept?.includes("text/html") === true;
    const type = path === STYLE_PATH ? CSS : isPage ? HTML : JSON_TYPE;
    const key = `${type} ${path}`;
    const content = this.#contents.get(key) ?? contentOf(await this.#write(path, type));
    this.#contents.set(key, content);
    const headers = type === JSON_TYPE ? SECURITY_HEADERS : PAGE_HEADERS;
    sendFile(req, res, content, { "Content-Type": type, "Cache-Control": CACHED }, headers);
  }

  async #write(path: string, type: string): Promise<string> {
    if (type === CSS) return STYLE;
    const errors = await this.#read();
    if (path === LIST) return type === HTML ? problemList(errors.values()) : JSON.stringify([...errors.values()]);
    const error = errors.get(path);
    if (error === undefined) throw callErrors.NOT_FOUND();
    return type === HTML ? problemPage(error) : JSON.stringify(error);
  }

  #read(): Promise<ReadonlyMap<string, Explained>> {
    this.#errors ??= cataloguesOf(this.#folder).then(explainedErrors);
    // What could not be read is tried again at the next request.
    this.#errors.catch(() => (this.#errors = undefined));
    return this.#errors;
  }
}

/** The handlers of the pages of errors; `handle` makes a handler of an asynchronous one. */
export function problemPages(
  services: string,
  handle: (answer: (req: IncomingMessage, res: ServerResponse) => Promise<void>) => Handler,
): (req: IncomingMessage) => Handler | undefined {
  const problems = new Problems(services);
  const answer = handle((req, res) => problems.answer(req, res));
  return req => (PATHS.test(pathOf(req)) ? answer : undefined);
}
