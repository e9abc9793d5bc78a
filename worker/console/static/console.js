// Console: what scripts add: looking again every few seconds, keys, and going on with a long run by itself.
// Every page works without it. Nothing changes under a pointer that rests on something, a field in use, an open dialog
// or selected text; a hidden tab does not ask.
(() => {
  "use strict";
  const EVERY_MS = 4000;
  const stale = document.getElementById("stale");
  let last = new Date();
  let asking = false;

  const busy = () => {
    const live = document.getElementById("live");
    const held = live && live.querySelector("a:hover, button:hover, input:hover, select:hover, summary:hover, :focus-visible");
    const chosen = window.getSelection();
    return document.hidden || asking || held || (chosen && !chosen.isCollapsed);
  };

  const look = () => {
    if (document.getElementById("live") && !busy()) document.body.dispatchEvent(new CustomEvent("look"));
  };

  const said = (text) => { stale.textContent = text; stale.hidden = !text; };
  const failed = () => {
    asking = false;
    said(`No answer since ${last.toISOString().slice(11, 19)} UTC; what is shown is from then. Trying again…`);
  };

  document.addEventListener("htmx:beforeRequest", () => { asking = true; });
  document.addEventListener("htmx:afterRequest", (event) => {
    asking = false;
    if (event.detail.successful) { last = new Date(); said(""); }
  });
  document.addEventListener("htmx:responseError", failed);
  document.addEventListener("htmx:sendError", failed);
  document.addEventListener("htmx:afterSettle", () => window.pacelineFlow && window.pacelineFlow());

  const PLACES = { o: "/", p: "/problems", d: "/dead-letters", j: "/jobs", l: "/lanes", w: "/workers", a: "/audit" };
  let going = 0;
  const step = (by) => {
    const links = [...document.querySelectorAll(".row-link")];
    const at = links.indexOf(document.activeElement);
    const next = links[Math.max(0, Math.min(links.length - 1, at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by))];
    if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    if (Date.now() - going < 1200 && PLACES[event.key]) { location.assign(PLACES[event.key]); return; }
    going = event.key === "g" ? Date.now() : 0;
    if (event.key === "j") step(1);
    if (event.key === "k") step(-1);
    if (event.key === "/") {
      const field = document.querySelector(".filters input:not([type=hidden]):not([type=checkbox]), .filters select");
      if (field) { event.preventDefault(); field.focus(); }
    }
  });

  const begin = () => {
    const here = document.querySelector(".top nav [aria-current]");
    if (here) here.parentElement.scrollLeft = here.offsetLeft - (here.parentElement.clientWidth - here.offsetWidth) / 2;
    setInterval(look, EVERY_MS);
    if (window.pacelineFlow) window.pacelineFlow();
    const goOn = document.getElementById("go-on");
    if (goOn) {
      const timer = setTimeout(() => goOn.submit(), 600);
      document.getElementById("stop").addEventListener("click", () => clearTimeout(timer));
    }
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin); else begin();
})();
