// Console: the chart of the overview: calls done per second and jobs waiting, as seen while somebody looks on.
// The figures come from the page itself, at every look; they are kept for this tab, and for half an hour at most.
(() => {
  "use strict";
  const KEPT_S = 1800;
  const NAME = "paceline.flow";
  let chart = null;

  const remembered = () => {
    try { return JSON.parse(sessionStorage.getItem(NAME) || "[]").filter((row) => Array.isArray(row) && row.length === 4); }
    catch { return []; }
  };
  const remember = (rows) => { try { sessionStorage.setItem(NAME, JSON.stringify(rows)); } catch { /* a full or closed store */ } };

  const columns = (rows) => {
    const at = [], rate = [], waiting = [];
    for (let i = 1; i < rows.length; i += 1) {
      const seconds = rows[i][0] - rows[i - 1][0];
      at.push(rows[i][0]);
      rate.push(seconds > 0 ? Math.max(0, (rows[i][1] - rows[i - 1][1]) / seconds) : null);
      waiting.push(rows[i][2]);
    }
    return [at, rate, waiting];
  };

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const options = (width) => {
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line-soft"), width: 1 }, ticks: { show: false }, font: "11px system-ui", size: 44 };
    return {
      width, height: 132, padding: [10, 4, 0, 0],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      cursor: { y: false }, legend: { live: true },
      scales: { x: { time: true }, rate: { range: (u, low, high) => [0, Math.max(1, high * 1.15)] }, jobs: { range: (u, low, high) => [0, Math.max(1, high * 1.15)] } },
      axes: [
        { ...axis, size: 24, space: 90, values: "{HH}:{mm}:{ss}" },
        { ...axis, scale: "rate" },
        { ...axis, scale: "jobs", side: 1, grid: { show: false } },
      ],
      series: [
        { label: "UTC", value: "{HH}:{mm}:{ss}" },
        { label: "done a second", scale: "rate", stroke: colour("--bar"), width: 2, fill: colour("--bar") + "22", points: { show: false }, value: (u, v) => (v === null ? "–" : v.toFixed(1)) },
        { label: "waiting", scale: "jobs", stroke: colour("--bar-others"), width: 1.5, points: { show: false }, value: (u, v) => (v === null ? "–" : String(v)) },
      ],
    };
  };

  window.pacelineFlow = () => {
    const now = document.getElementById("now"), place = document.getElementById("flow");
    if (!now || !place || typeof uPlot === "undefined") return;
    const row = [Number(now.dataset.at) / 1e6, Number(now.dataset.done), Number(now.dataset.waiting), Number(now.dataset.flying)];
    let rows = remembered();
    const before = rows[rows.length - 1];
    if (!before || row[0] > before[0]) rows.push(row);
    rows = rows.filter((one) => one[0] > row[0] - KEPT_S && one[1] <= row[1]);
    remember(rows);
    if (rows.length < 3) return;
    place.hidden = false;
    const width = place.clientWidth - 18;
    if (chart && chart.root.isConnected) { chart.setData(columns(rows)); if (chart.width !== width) chart.setSize({ width, height: 132 }); }
    else { place.replaceChildren(); chart = new uPlot(options(width), columns(rows), place); }
  };
})();
