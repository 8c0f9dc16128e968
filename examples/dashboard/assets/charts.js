// Each chart draws the table beside it, which also works without scripts.
"use strict";
(() => {
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const format = (options) => new Intl.DateTimeFormat(undefined, { timeZone: "UTC", ...options });
  const dayName = format({ day: "numeric", month: "short" }), hourName = format({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  const money = (v) => "$" + v.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // Ticks are at least a cent or a hundredth of a GB apart, so that no two have the same label.
  const steps = [-2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8].flatMap((e) => [1, 2, 5].map((m) => +(m * 10 ** e).toPrecision(1)));
  const day = 86400;
  let drawn = [];

  // data reads times and columns. A time without a row in the table has no usage.
  const data = (figure) => {
    const { table, columns, first, last } = figure.dataset, step = +(figure.dataset.step || day);
    const rows = $$("#" + table + " tbody tr"), wanted = columns.trim().split(" ").map(Number);
    const at = rows.map((r) => Date.parse(r.querySelector("time").dateTime) / 1000);
    const ys = rows.map((r) => { const cells = $$("data", r); return wanted.map((c) => +cells[c - 1].value); });
    if (!first) return { xs: at, ys, step };
    const found = new Map(at.map((x, i) => [x, ys[i]])), xs = [];
    for (let x = Date.parse(first) / 1000; x <= Date.parse(last) / 1000; x += step) xs.push(x);
    return { xs, ys: xs.map((x) => found.get(x) ?? wanted.map(() => 0)), step };
  };

  const draw = (figure) => {
    const plot = figure.querySelector(".plot");
    if (!plot) return; // no data
    const { xs, ys, step } = data(figure), dollars = figure.dataset.unit === "$";
    const sum = (values) => values.reduce((a, b) => a + b, 0);
    const spell = (v) => dollars ? money(v) : v.toLocaleString("en-US", { maximumFractionDigits: 2 }) + " GB";
    const name = (x) => (step < day ? hourName : dayName).format(x * 1000);
    const parts = $$("[data-part]", figure), readout = figure.querySelector("[data-readout]"), when = figure.querySelector("[data-when]");
    const all = [readout, when, ...parts].map((e) => [e, e.textContent]);
    const reset = () => all.forEach(([e, text]) => { e.textContent = text; });
    const show = (i) => {
      readout.textContent = spell(sum(ys[i]));
      when.textContent = "on " + name(xs[i]);
      parts.forEach((e, n) => { e.textContent = spell(ys[i][n]); });
      plot.setAttribute("aria-valuenow", i);
      plot.setAttribute("aria-valuetext", [name(xs[i]) + ": " + spell(sum(ys[i]))].concat(
        parts.length > 1 ? parts.map((e) => e.parentElement.textContent.trim()) : []).join(", "));
    };
    const ink = colour("--muted"), line = colour("--line"), font = "12px system-ui, sans-serif";
    // Stacked bars: the highest is drawn first.
    const tops = ys[0].map((_, n) => ys.map((values) => sum(values.slice(0, n + 1)))).reverse();
    const fills = parts.length ? parts.map((e) => colour("--series-" + e.dataset.series)).reverse() : [colour(dollars ? "--series-1" : "--series-2")];
    const u = new uPlot({
      width: plot.clientWidth, height: plot.clientHeight, legend: { show: false },
      padding: [8, 20, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: { x: { time: false, range: [xs[0] - step * 0.75, xs.at(-1) + step * 0.75] }, y: { range: (_, __, max) => [0, max * 1.08] } },
      axes: [
        { stroke: ink, font, grid: { show: false }, ticks: { show: false }, size: 24, gap: 4,
          splits: (self) => {
            const days = xs.filter((x) => x % day === 0 || step === day), every = Math.ceil(days.length / Math.max(1, Math.floor(self.width / 70)));
            return days.filter((_, i) => (days.length - 1 - i) % every === 0);
          },
          values: (_, ticks) => ticks.map((t) => dayName.format(t * 1000)) },
        { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false }, size: 48, gap: 6, space: 40, incrs: steps,
          values: (_, ticks) => ticks.map((t) => dollars ? (ticks.at(-1) < 5 ? money(t) : "$" + t.toLocaleString("en-US")) : t.toLocaleString("en-US")) },
      ],
      series: [{}, ...fills.map((fill) => ({ fill, stroke: fill, width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.66, 40], radius: tops.length > 1 ? 0 : 0.25 }) }))],
      hooks: { setCursor: [(self) => {
        const on = self.cursor.left >= 0 && self.cursor.idx != null;
        figure.toggleAttribute("data-reading", on);
        if (on) show(self.cursor.idx); else reset();
      }] },
    }, [xs, ...tops], plot);

    // For the keyboard the chart is a slider over the days.
    let at = xs.length - 1;
    const go = (i) => {
      plot.dataset.at = at = Math.max(0, Math.min(xs.length - 1, i));
      u.setCursor({ left: u.valToPos(xs[at], "x"), top: 0 });
      show(at);
    };
    const leave = () => {
      delete plot.dataset.at;
      u.setCursor({ left: -10, top: -10 });
    };
    const page = step < day ? 24 : 7;
    const moves = { ArrowLeft: () => at - 1, ArrowDown: () => at - 1, ArrowRight: () => at + 1, ArrowUp: () => at + 1,
      PageDown: () => at - page, PageUp: () => at + page, Home: () => 0, End: () => xs.length - 1 };
    plot.tabIndex = 0;
    for (const [key, value] of Object.entries({ role: "slider", "aria-label": figure.querySelector("h2").textContent, "aria-valuemin": 0,
      "aria-valuemax": xs.length - 1, "aria-valuenow": at, "aria-valuetext": readout.textContent + " " + when.textContent })) plot.setAttribute(key, value);
    plot.onfocus = () => { if (plot.matches(":focus-visible")) go(at); };
    plot.onblur = leave;
    plot.onkeydown = (event) => {
      if (event.key === "Escape") return leave();
      if (!moves[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      go(moves[event.key]());
    };
    // Redrawn while a value was shown; uPlot has its scales after a microtask.
    if (plot.dataset.at) queueMicrotask(() => go(+plot.dataset.at));
    drawn.push({ figure, undo() { u.destroy(); reset(); figure.removeAttribute("data-reading"); } });
  };

  const charts = (root) => {
    drawn = drawn.filter((d) => {
      const stays = d.figure.isConnected && !root.contains(d.figure);
      if (!stays) d.undo();
      return stays;
    });
    $$("figure.chart", root).forEach(draw);
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts(document));
  let width = innerWidth, resizing;
  addEventListener("resize", () => {
    if (innerWidth === width) return; // phones resize while scrolling
    width = innerWidth;
    clearTimeout(resizing);
    resizing = setTimeout(() => charts(document), 150);
  });
  document.addEventListener("fresh", (event) => charts(event.target));
  charts(document);
})();
