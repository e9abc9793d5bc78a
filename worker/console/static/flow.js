// Console: reads the overview's history for a pointer: where it rests, all three strips say what happened in that time.
// The strips themselves are drawn by the page, and stay when this cannot run.
(() => {
  "use strict";
  const NAMES = ["done", "retried", "died"];
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const TONES = { done: "--bar", retried: "--bar-warm", died: "--bar-hot" };
  let charts = [];

  const strip = (place, name, at, values, per) => {
    const reading = place.parentElement.querySelector("[data-reading]"), usual = reading.previousElementSibling;
    const bars = uPlot.paths.bars({ size: [0.8, 60, 1] });
    const most = Math.max(1, ...values.filter((one) => one !== null));
    return new uPlot({
      width: place.clientWidth, height: place.clientHeight, padding: [0, 0, 0, 0],
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false }, sync: { key: "flow" } },
      legend: { show: false },
      scales: { x: { time: true, range: () => [at[0], at[0] + per * at.length] }, y: { range: () => [0, most] } },
      axes: [{ show: false }, { show: false }],
      series: [{}, { label: name, paths: bars, fill: colour(TONES[name]), width: 0, points: { show: false } }],
      hooks: { setCursor: [(chart) => {
        const i = chart.cursor.idx;
        const away = i === null || i === undefined || chart.cursor.left < 0;
        usual.hidden = !away;
        reading.hidden = away;
        if (away) return;
        const when = new Date(at[i] * 1000).toISOString().slice(11, 16), value = values[i];
        reading.textContent = `${when} UTC: ${value === null ? "not known" : String(value)}`;
      }] },
    }, [at.map((start) => start + per / 2), values], place);
  };

  window.pacelineFlow = () => {
    const flow = document.getElementById("flow");
    charts.forEach((chart) => chart.destroy());
    charts = [];
    if (!flow || typeof uPlot === "undefined") return;
    const rows = JSON.parse(flow.dataset.rows), per = Number(flow.dataset.per) * 60;
    if (rows.length < 2) return;
    const at = rows.map((row) => row[0]);
    NAMES.forEach((name, i) => {
      const place = flow.querySelector(`[data-strip="${name}"]`);
      if (!place || !place.clientWidth) return;
      place.firstElementChild.setAttribute("hidden", "");
      charts.push(strip(place, name, at, rows.map((row) => row[i + 1]), per));
    });
  };
})();
