// Without this script everything works except charts, copying and live events.
"use strict";
(() => {
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  // The server renders times in UTC, since it does not know the browser's time zone.
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const days = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
  const localise = (root) => $$("time[data-local]", root).forEach((t) => {
    const at = new Date(t.dateTime);
    t.textContent = (t.dataset.local === "day" ? days : full).format(at);
    t.title = at.toISOString();
  });

  // Parts that change are replaced by those of the page fetched again.
  const fetchPage = async (url, options) => {
    const response = await fetch(url, { credentials: "same-origin", ...options });
    return new DOMParser().parseFromString(await response.text(), "text/html");
  };
  const seen = new Map(); // the server's last HTML of each part; an equal part is not replaced
  $$("[data-live]").forEach((part) => seen.set(part.id, part.innerHTML));
  const refresh = async () => {
    if (document.hidden || !$$("[data-live]").length) return;
    let page;
    try { page = await fetchPage(location.href); } catch { return; } // the stream's state is shown anyway
    $$("[data-live]").forEach((part) => {
      const fresh = page.getElementById(part.id);
      const busy = part.contains(document.activeElement) || part.querySelector("[data-hide], [aria-busy=true], [data-reading]");
      if (!fresh || busy || seen.get(part.id) === fresh.innerHTML) return;
      const open = $$("details[open]", part).length > 0;
      seen.set(part.id, fresh.innerHTML);
      part.innerHTML = fresh.innerHTML;
      $$("details", part).forEach((d) => { d.open = open; });
      localise(part);
      part.dispatchEvent(new Event("fresh", { bubbles: true })); // for the charts
    });
  };

  // A form with data-inline replaces one part of the page by that of the response.
  const masked = new WeakMap(); // the HTML of credentials before they are shown
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.matches("[data-once]")) {
      if (form.dataset.sent) event.preventDefault(); // the server checks this too
      form.dataset.sent = "yes";
      (event.submitter ?? form.querySelector("button")).setAttribute("aria-busy", "true");
      return;
    }
    if (!form.matches("[data-inline]")) return;
    event.preventDefault();
    const target = document.getElementById(form.dataset.inline), button = form.querySelector("button");
    const values = new URLSearchParams(new FormData(form)), before = target.innerHTML;
    button.setAttribute("aria-busy", "true");
    try {
      const page = form.method === "post" ? await fetchPage(form.action, { method: "POST", body: values }) : await fetchPage("/?" + values);
      const part = page.getElementById(target.id);
      if (part) target.innerHTML = part.innerHTML;
      else throw new Error((page.querySelector("main p") || page.body).textContent);
      const hide = target.querySelector("[data-hide]");
      if (!masked.has(target)) masked.set(target, before);
      if (hide) hide.addEventListener("click", () => { target.innerHTML = masked.get(target); target.querySelector("button").focus(); });
      if (hide) target.querySelector("button").focus();
    } catch (problem) {
      const line = document.createElement("p");
      line.className = "problem";
      line.setAttribute("role", "alert");
      line.textContent = "That did not work: " + problem.message;
      target.append(line);
    }
    button.removeAttribute("aria-busy");
  });
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(button.previousElementSibling);
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  // A page from the back/forward cache may show a form that was used since.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  // Events.
  const list = document.getElementById("events");
  const listen = () => {
    const state = document.querySelector("[data-stream]");
    const stream = new EventSource("/events?since=" + list.dataset.since);
    let soon;
    const say = (live, text) => { state.classList.toggle("live", live); state.textContent = text; };
    stream.onopen = () => say(true, "live");
    stream.onerror = () => say(false, "connection lost, reconnecting");
    stream.onmessage = (message) => {
      $$(".empty", list).forEach((none) => none.remove());
      list.insertAdjacentHTML("afterbegin", message.data);
      list.firstElementChild.classList.add("new");
      localise(list.firstElementChild);
      list.dataset.since = message.lastEventId;
      while (list.children.length > 40) list.lastElementChild.remove();
      clearTimeout(soon);
      soon = setTimeout(refresh, 400);
    };
    addEventListener("pagehide", () => stream.close());
  };

  localise(document);
  if (list) listen();
  setInterval(refresh, 15000);
  document.addEventListener("visibilitychange", refresh);
})();
