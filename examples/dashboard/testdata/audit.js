(() => {
  const found = [];
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (css) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = css;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (c) => {
    const [r, g, b] = c.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = rgba(getComputedStyle(e).backgroundColor);
      if (c[3] > 250) return c;
    }
    return [255, 255, 255, 255];
  };
  const shown = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !e.closest(".unseen, .skip, .off, .u-over, .new");
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !shown(e)) continue;
    const [a, b] = [light(rgba(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.push(`contrast ${ratio.toFixed(2)}: ${walk.currentNode.data.trim().slice(0, 40)}`);
  }
  // Text from outside stays in its bdi: what is around it runs from left to right.
  const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode, range = document.createRange();
    if (node.parentElement.closest("bdi, .unseen") || !/[a-z0-9]{2}/i.test(node.data) || !shown(node.parentElement)) continue;
    let before;
    for (let i = 0; i < node.length; i++) {
      if (!/[!-~]/.test(node.data[i])) continue;
      range.setStart(node, i);
      range.setEnd(node, i + 1);
      const box = range.getBoundingClientRect();
      if (before && box.width && box.top === before.top && box.left < before.left) {
        found.push("turned around: " + node.data.trim().slice(0, 40));
        break;
      }
      before = box;
    }
  }
  for (const e of document.querySelectorAll("input:not([type=hidden]), select")) {
    if (!e.labels.length && !e.ariaLabel) found.push("no label: " + e.outerHTML.slice(0, 80));
  }
  for (const e of document.querySelectorAll("a, button, summary, input, select")) {
    if (e.matches("a, button, summary") && !(e.ariaLabel || e.textContent).trim()) found.push("no name: " + e.outerHTML.slice(0, 80));
    const box = e.getBoundingClientRect();
    if (shown(e) && box.height && (box.height < 24 || box.width < 24)) found.push("too small to hit: " + e.outerHTML.slice(0, 80));
  }
  for (const e of document.querySelectorAll("table")) {
    if (!e.caption) found.push("no caption: " + e.outerHTML.slice(0, 80));
    for (const th of e.querySelectorAll("th")) if (!th.scope) found.push("no scope: " + th.outerHTML);
  }
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  if (new Set(ids).size !== ids.length) found.push("an id twice: " + ids.filter((id, i) => ids.indexOf(id) !== i));
  if (document.querySelectorAll("h1").length !== 1) found.push("not one h1");
  let level = 1;
  for (const h of document.querySelectorAll("h1, h2, h3")) {
    if (+h.tagName[1] > level + 1 && h.closest("main")) found.push("heading skips a level: " + h.textContent);
    level = +h.tagName[1];
  }
  if (document.documentElement.scrollWidth > innerWidth) {
    for (const e of document.querySelectorAll("main *")) {
      if (e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".unseen")) found.push("too wide: " + e.outerHTML.slice(0, 80));
    }
    found.push(`page is ${document.documentElement.scrollWidth} wide in ${innerWidth}`);
  }
  return found;
})()
