# The cache before the gateways (docs/cdn.md): tests, Kubernetes and Compose use this one file. `origin.vcl` beside it names
# the backend. In the environment CDN_PURGE_TOKEN is what a purge has to know, and ALLOWED_ORIGINS is that of the gateways.
#
# The rules, in order of importance:
#   1. An answer is kept only if its Cache-Control lets a shared cache keep it, and it sets no cookie.
#   2. A request with a token passes by. One with a cookie may be answered from what is kept, and never fills the cache:
#      what is kept was asked for by nobody in particular.
#   3. A purge removes what has one of its keys at once: an old price is not worth having.
#   4. A client's header fields make no answers without end beside the one that all ask for: each look-up goes through all of them.
#   5. While the gateways are away, what is kept outlives its time as long as it says (stale-if-error).
vcl 4.1;
import std;
import xkey;

probe gateway {
  .url = "/health/ready";
  .interval = 1s;
  .timeout = 1s;
  .window = 3;
  .threshold = 2;
  .initial = 3;
}
include "origin.vcl";

sub vcl_recv {
  if (req.method == "PURGE") {
    if (std.getenv("CDN_PURGE_TOKEN") == "" || req.http.Authorization != "Bearer " + std.getenv("CDN_PURGE_TOKEN")) {
      return (synth(403, "Forbidden"));
    }
    if (!req.http.xkey) {
      return (synth(400, "A purge names its keys in the header xkey"));
    }
    return (synth(200, "Purged " + xkey.purge(req.http.xkey)));
  }
  if (req.url == "/.cdn/live") {
    return (synth(200, "Live"));
  }
  if (req.restarts == 0) {
    unset req.http.X-Outage;
  }
  if (req.method != "GET" && req.method != "HEAD") {
    return (pass);
  }
  if (req.http.Authorization) {
    return (pass);
  }
  # Fields of a campaign make no other answer; the order of the others does not either.
  if (req.url ~ "[?&](utm_[a-z]+|gclid|fbclid|_)=") {
    set req.url = regsuball(req.url, "([?&])(?:(?:utm_[a-z]+|gclid|fbclid|_)=[^&]*(?:&|$))+", "\1");
    set req.url = regsub(req.url, "[?&]$", "");
  }
  set req.url = std.querysort(req.url);
  # Most clients take JSON as well as anything: one answer for all of them. CSV and NDJSON are asked for by name; any other
  # wish is the gateway's. An image does not differ by it.
  if (!req.http.Accept || req.url ~ "^/images/"
      || (req.http.Accept ~ "\*/\*|application/json" && req.http.Accept !~ "(?i)csv|ndjson")) {
    set req.http.Accept = "*/*";
  } elseif (req.http.Accept !~ "^(text/csv|application/x-ndjson)$") {
    return (pass);
  }
  # A page of another origin: what is kept for one that may read it has its name in it. Any other gets the answer for nobody in
  # particular, which its browser does not show it. Without the list here the gateway decides.
  if (req.http.Origin) {
    if (std.getenv("ALLOWED_ORIGINS") == "") {
      return (pass);
    }
    if (!std.strstr("," + regsuball(std.getenv("ALLOWED_ORIGINS"), " ", "") + ",", "," + req.http.Origin + ",")) {
      unset req.http.Origin;
    }
  }
  # The longest stale-while-revalidate of the shop's answers. Without a gateway: as long as an answer says.
  if (std.healthy(req.backend_hint) && !req.http.X-Outage) {
    set req.grace = 30s;
  } else {
    set req.grace = 7d;
  }
  return (hash);
}

sub vcl_miss {
  # Nothing to fall back on: no second request to a gateway that has just failed.
  if (req.http.X-Outage) {
    return (synth(503, "Service Unavailable"));
  }
  if (req.http.Cookie) {
    return (pass);
  }
}

sub vcl_backend_fetch {
  # A visitor with a cookie was given an old answer, and a new one is fetched for all.
  if (bereq.is_bgfetch) {
    unset bereq.http.Cookie;
  }
}

sub vcl_backend_response {
  # A gateway that fails is as good as away: the old answer stays. Kept, the failure would stand before it for two minutes,
  # even as a note that it must not be kept.
  if (beresp.status >= 500 && !bereq.uncacheable) {
    return (abandon);
  }
  set beresp.http.xkey = beresp.http.Surrogate-Key;
  if (beresp.http.Cache-Control ~ "stale-if-error=[0-9]+") {
    set beresp.grace = std.duration(
      regsub(beresp.http.Cache-Control, "^.*stale-if-error=([0-9]+).*$", "\1") + "s", beresp.grace);
  }
}

sub vcl_backend_error {
  # No gateway has answered.
  return (abandon);
}

sub vcl_synth {
  # A fetch was abandoned: once more, with an old answer if there is one.
  if (resp.status == 503 && req.restarts == 0 && (req.method == "GET" || req.method == "HEAD")
      && !req.http.Authorization) {
    set req.http.X-Outage = "1";
    return (restart);
  }
  set resp.http.Cache-Control = "private, no-store";
  if (resp.status >= 500) {
    set resp.http.Retry-After = "5";
    set resp.http.Content-Type = "application/problem+json";
    set resp.body = {"{"type":"about:blank","title":"Service Unavailable","status":503}"};
    return (deliver);
  }
  set resp.http.Content-Type = "text/plain; charset=utf-8";
  set resp.body = resp.reason + {"
"};
  return (deliver);
}

sub vcl_deliver {
  if (obj.uncacheable) {
    set resp.http.X-Cache = "PASS";
  } elseif (obj.hits == 0) {
    set resp.http.X-Cache = "MISS";
  } elseif (obj.ttl > 0s) {
    set resp.http.X-Cache = "HIT";
  } else {
    set resp.http.X-Cache = "STALE";
  }
  unset resp.http.xkey;
  unset resp.http.Surrogate-Key;
  unset resp.http.Cache-Tag;
  # These are for this cache. A browser would heed stale-while-revalidate too, and show an old price after a purge. Where
  # another cache stands before this one, take this away.
  if (resp.http.Cache-Control ~ "s-maxage") {
    set resp.http.Cache-Control =
      regsuball(resp.http.Cache-Control, ", *(s-maxage|stale-while-revalidate|stale-if-error)=[0-9]+", "");
  }
}
