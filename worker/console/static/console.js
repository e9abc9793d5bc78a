// Console: what else scripts add: keys. Every page works without it.
(() => {
  "use strict";
  const keys = document.getElementById("keys"), help = document.getElementById("help");
  const PLACES = {};
  for (const one of document.querySelectorAll("[data-go]")) PLACES[one.dataset.go] = one.dataset.to;
  const show = () => { if (keys && !keys.open) keys.showModal(); };

  let going = 0;
  const step = (by) => {
    const links = [...document.querySelectorAll(".row-link")];
    const at = links.indexOf(document.activeElement);
    const next = links[Math.max(0, Math.min(links.length - 1, at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by))];
    if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
  };
  document.addEventListener("keydown", (event) => {
    const field = event.target.closest("input, select, textarea");
    if (field && event.key === "Escape") field.blur();
    if (event.ctrlKey || event.metaKey || event.altKey || field || document.querySelector("dialog[open]")) return;
    if (Date.now() - going < 1200 && PLACES[event.key]) { location.assign(PLACES[event.key]); return; }
    going = event.key === "g" ? Date.now() : 0;
    if (event.key === "j") step(1);
    if (event.key === "k") step(-1);
    if (event.key === "u" && window.pacelineShow) window.pacelineShow();
    if (event.key === "?") show();
    if (event.key === "/") {
      const first = document.querySelector(".filters input:not([type=hidden]):not([type=checkbox]), .filters select");
      if (first) { event.preventDefault(); first.focus(); }
    }
  });

  const begin = () => {
    const here = document.querySelector(".top nav [aria-current]");
    if (here) here.parentElement.scrollLeft = here.offsetLeft - (here.parentElement.clientWidth - here.offsetWidth) / 2;
    if (help) { help.hidden = false; help.addEventListener("click", show); }
    if (window.pacelineFlow) window.pacelineFlow();
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin); else begin();
})();
