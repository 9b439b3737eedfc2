// The storefront in a browser. A page that came with its content is taken over as it is; any other begins empty.
import { hydrate, render } from "preact";
import { hydrated, isPrerendered, keepInput, reloadOnRelease } from "../kit/index.ts";
import "./storefront.css";
import { App, loadPage } from "./app.tsx";
import { session } from "./shop.ts";

async function start(root: HTMLElement): Promise<void> {
  if (isPrerendered()) {
    await loadPage(location.pathname);
    const bringBack = keepInput(root);
    hydrate(<App />, root);
    hydrated();
    bringBack();
  } else {
    // The file of another address may have answered.
    root.textContent = "";
    render(<App />, root);
  }
  await session.restore();
}

reloadOnRelease();
void start(document.getElementById("app")!);
