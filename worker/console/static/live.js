// Console: looking again. The web process says by a stream of events that something has changed; without a stream the
// page is asked for every few seconds. Nothing changes under a pointer, in a table that has the focus, in a field in
// use, an open dialog or selected text: there a button says that there is news, and the page waits. A page of letters
// or problems never changes by itself. A hidden tab neither listens nor asks.
(() => {
  "use strict";
  const EVERY_MS = 4000, SILENT_MS = 12000, AGAIN_MS = 60000, PATIENCE_MS = 500, SENDING_MS = 15000, WAITING_MS = 4000;
  const stale = document.getElementById("stale"), fresh = document.getElementById("fresh");
  let stream = null, open = false, heard = 0, last = new Date(), asking = false, asked = 0, pending = false, marks = null, base = null, more = 0, sent = 0, forced = false;

  const live = () => document.getElementById("live");
  const read = (text) => Object.fromEntries(text.trim().split(/\s+/).filter(Boolean).map((one) => one.split("=")));
  const used = () => {
    const place = live(), chosen = window.getSelection();
    const on = "a:hover, button:hover, input:hover, select:hover, summary:hover, table:hover, svg:hover, .u-over:hover";
    return document.querySelector("dialog[open]") || (place && place.querySelector(`${on}, :focus`))
      || (chosen && !chosen.isCollapsed);
  };
  const held = () => document.hidden || asking || used();
  const say = (words) => { fresh.firstElementChild.textContent = words; fresh.hidden = false; };
  const look = (wanted) => {
    pending = false; forced = wanted === true; fresh.hidden = true;
    document.body.dispatchEvent(new CustomEvent("look"));
  };
  const changed = () => {
    const place = live();
    if (!place) return;
    if (place.dataset.live === "offer") { say(more > 0 && place.dataset.on === "letters" ? `${more} new` : "Something has changed"); return; }
    if (!held()) { look(); return; }
    pending = true;
    if (!document.hidden && !asking) say("Updated");
  };
  const cares = (news) => {
    const place = live();
    if (!place) return false;
    const own = place.dataset.on ? place.dataset.on.split(" ") : Object.keys(news);
    return own.some((name) => news[name] !== marks[name]);
  };

  const said = (text) => { stale.textContent = text; stale.hidden = !text; };
  const silent = () => said(`No answer since ${last.toISOString().slice(11, 19)} UTC; what is shown is from then. Trying again…`);
  const failed = () => { asking = false; silent(); };

  // A form on its way (signing out is one) must not be cut off by a reload; where it leads is where one wanted to go.
  const reload = () => { if (Date.now() - sent > SENDING_MS) location.reload(); else setTimeout(reload, PATIENCE_MS); };

  const listen = () => {
    if (stream || document.hidden || !window.EventSource || !document.querySelector(".top nav")) return;
    stream = new EventSource("/live");
    stream.onopen = () => { open = true; heard = Date.now(); };
    stream.onerror = () => {
      open = false;
      if (stream && stream.readyState === EventSource.CLOSED) { hush(); setTimeout(listen, AGAIN_MS); }
    };
    stream.addEventListener("beat", () => { heard = Date.now(); if (live() && live().dataset.live !== "offer" && !held()) look(); });
    stream.addEventListener("closed", () => { hush(); reload(); });
    stream.addEventListener("marks", (event) => {
      heard = Date.now();
      const news = JSON.parse(event.data), dead = news.counts["/dead-letters"];
      base = base === null ? dead : base;
      more = dead - base;
      for (const [address, count] of Object.entries(news.counts)) {
        const badge = document.querySelector(`.top nav a[href="${address}"] .count`);
        if (badge) { badge.textContent = String(count).replace(/\B(?=(\d{3})+$)/g, "\u202f"); badge.hidden = !count; }
      }
      if (cares(news.marks)) { marks = news.marks; changed(); }
      marks = news.marks;
    });
  };
  const hush = () => { if (stream) stream.close(); stream = null; open = false; };

  const tick = () => {
    if (open && Date.now() - heard < SILENT_MS) return;
    const place = live();
    if (place && place.dataset.live !== "offer" && !held()) look();
  };

  document.addEventListener("submit", (event) => { if (!event.defaultPrevented) sent = Date.now(); });
  document.addEventListener("htmx:beforeRequest", () => { asking = true; asked = Date.now(); });
  document.addEventListener("htmx:beforeSwap", (event) => {
    // somebody who is no longer let in gets the page that says so
    if (event.detail.xhr.status === 200 && !event.detail.xhr.responseText.includes('id="live"')) {
      event.detail.shouldSwap = false;
      reload();
    } else if (!forced && used()) { // somebody has come to use what was asked for anew meanwhile
      event.detail.shouldSwap = false;
      pending = true;
      say("Updated");
    }
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    asking = false;
    if (event.detail.successful) { last = new Date(); said(""); }
  });
  document.addEventListener("htmx:responseError", failed);
  document.addEventListener("htmx:sendError", failed);
  document.addEventListener("htmx:afterSettle", () => {
    base = null;
    if (live()) marks = { ...marks, ...read(live().dataset.marks) };
    if (window.pacelineFlow) window.pacelineFlow();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { hush(); return; }
    listen();
    tick();
  });
  window.addEventListener("pagehide", hush);
  window.addEventListener("pageshow", listen);
  fresh.addEventListener("click", () => { fresh.blur(); look(true); });
  window.pacelineShow = () => { if (!fresh.hidden) look(true); };

  const begin = () => {
    marks = live() ? read(live().dataset.marks) : {};
    if (live() || document.querySelector(".count")) listen();
    setInterval(tick, EVERY_MS);
    setInterval(() => {
      if (pending && !held()) look();
      if (asking && stale.hidden && Date.now() - asked > WAITING_MS) silent(); // it may be answered yet
    }, PATIENCE_MS);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin); else begin();
})();
