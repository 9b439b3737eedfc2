// The storefront: the frame around every page, and which page an address has. The lists come with the frame,
// since most visits begin there; each other page is loaded when it is needed.
import { signal } from "@preact/signals";
import { ErrorBoundary, LocationProvider, Route, Router } from "preact-iso";
import { page, Toasts } from "../kit/index.ts";
import { Footer, Going, Header, Offline } from "./frame.tsx";
import List from "./pages/list/view.tsx";

const Product = page(() => import("./pages/product/view.tsx"));
const SignIn = page(() => import("./pages/sign-in/view.tsx"));
const Register = page(() => import("./pages/register/view.tsx"));
const Cart = page(() => import("./pages/cart/view.tsx"));
const Checkout = page(() => import("./pages/checkout/view.tsx"));
const Order = page(() => import("./pages/order/view.tsx"));
const Orders = page(() => import("./pages/orders/view.tsx"));
const Gone = page(() => import("./pages/gone.tsx"));

/** Loads what a page needs that came with its content: its elements can then be taken over at once. */
export async function loadPage(path: string): Promise<void> {
  if (path.startsWith("/products/")) await Product.preload();
}

/** Addresses of others on this host: a click on one loads it. */
const OURS = /^\/(?!(?:console|docs|api|problems)(?:\/|$)|.*\.(?:json|xml|txt)$)/;
const isGoing = signal(false);

export const App = () => (
  <LocationProvider scope={OURS}>
    <a class="skip" href="#content">
      Skip to the content
    </a>
    <Header />
    <Going going={isGoing} />
    <Offline />
    <main id="content" class="page" tabIndex={-1}>
      <ErrorBoundary>
        <Router onLoadStart={() => (isGoing.value = true)} onLoadEnd={() => (isGoing.value = false)}>
          <Route path="/" component={List} />
          <Route path="/search" component={List} />
          <Route path="/categories/:category" component={List} />
          <Route path="/products/:id" component={Product} />
          <Route path="/cart" component={Cart} />
          <Route path="/checkout" component={Checkout} />
          <Route path="/orders" component={Orders} />
          <Route path="/orders/:id" component={Order} />
          <Route path="/sign-in" component={SignIn} />
          <Route path="/register" component={Register} />
          <Route default component={Gone} />
        </Router>
      </ErrorBoundary>
    </main>
    <Footer />
    <Toasts />
  </LocationProvider>
);
