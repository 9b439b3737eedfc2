// The storefront: the frame around every page, and which page an address has. The lists come with the frame,
// since most visits begin there; each other page is loaded when it is needed.
import { render } from "preact";
import { ErrorBoundary, lazy, LocationProvider, Route, Router } from "preact-iso";
import { reloadOnRelease, Toasts } from "../kit/index.ts";
import "./storefront.css";
import { Footer, Header, Offline } from "./frame.tsx";
import List from "./pages/list/view.tsx";
import { session } from "./shop.ts";

const Product = lazy(() => import("./pages/product/view.tsx"));
const SignIn = lazy(() => import("./pages/sign-in/view.tsx"));
const Register = lazy(() => import("./pages/register/view.tsx"));
const Cart = lazy(() => import("./pages/cart/view.tsx"));
const Checkout = lazy(() => import("./pages/checkout/view.tsx"));
const Order = lazy(() => import("./pages/order/view.tsx"));
const Orders = lazy(() => import("./pages/orders/view.tsx"));
const Gone = lazy(() => import("./pages/gone.tsx"));

/** Addresses of others on this host: a click on one loads it. */
const OURS = /^\/(?!(?:console|docs|api|problems)(?:\/|$)|.*\.json$)/;

const App = () => (
  <LocationProvider scope={OURS}>
    <a class="skip" href="#content">
      Skip to the content
    </a>
    <Header />
    <Offline />
    <main id="content" class="page" tabIndex={-1}>
      <ErrorBoundary>
        <Router>
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

reloadOnRelease();
void session.restore();
render(<App />, document.getElementById("app")!);
