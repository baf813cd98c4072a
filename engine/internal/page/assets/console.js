// The script of the console adds keys, and the progress of a run, to pages that work without it. It writes no HTML.
"use strict";

const base = document.body.dataset.base;
const rows = () => [...document.querySelectorAll("table[data-rows] tbody tr")];
const places = { h: "", i: "identities/", s: "sources/", r: "runs/", o: "operations/", e: "history/" };

let current = -1;
let going = 0; // until when the second key of "g" counts

// step marks a row, and has the focus on its link.
function step(by) {
  const list = rows();
  if (list.length === 0) return;
  list[current]?.classList.remove("current");
  current = Math.max(0, Math.min(list.length - 1, current + by));
  list[current].classList.add("current");
  list[current].querySelector("th a, a")?.focus();
}

// close closes the open menus, and has the focus back on the button of the last one.
function close(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (menu === except || menu.contains(except)) continue;
    menu.open = false;
    if (except === undefined) menu.querySelector("summary").focus();
  }
}

function press(event) {
  const typing = event.target.closest?.("input:not([type=checkbox]), select, textarea, [contenteditable]");
  if (event.key === "Escape") {
    if (document.querySelector("details.menu[open]")) close();
    else if (typing) event.target.blur();
    return;
  }
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (Date.now() < going && event.key in places) {
    going = 0;
    location.assign(new URL(base + places[event.key], location.href));
    return;
  }
  going = 0;
  const row = rows()[current];
  switch (event.key) {
    case "/": document.getElementById("find")?.focus(); document.getElementById("find")?.select(); break;
    case "?": location.assign(new URL(base + "help", location.href)); break;
    case "g": going = Date.now() + 1500; break;
    case "j": step(1); break;
    case "k": step(-1); break;
    case "x": row?.querySelector("input[type=checkbox]")?.click(); break;
    case ".": {
      const menu = row?.querySelector("details.menu");
      if (!menu) return;
      menu.open = !menu.open;
      menu.querySelector(".sheet button, .sheet a")?.focus();
      break;
    }
    case "]": document.querySelector(".pages [rel=next]")?.click(); break;
    default: return;
  }
  event.preventDefault();
}

document.addEventListener("keydown", press);
document.addEventListener("click", (event) => close(event.target));

// follow shows how far a run is, while the page is seen and until the run has ended.
function follow(bar) {
  const address = new URL(bar.dataset.events, location.href);
  const part = (name) => document.querySelector(`[data-run=${name}]`);
  let stream, timer, failures = 0, ended = false;

  function show(run) {
    failures = 0;
    if (part("state").textContent !== run.state) part("state").textContent = run.state;
    part("state").className = `chip ${run.tone}`;
    part("progress").textContent = run.progress;
    bar.value = run.percent;
    part("counts").replaceChildren(...run.counts.flatMap((c) => ["title", "count"].map((member) => {
      const cell = document.createElement(member === "title" ? "dt" : "dd");
      cell.textContent = c[member];
      return cell;
    })));
    if (run.ended) {
      ended = true;
      close();
    }
  }
  function close() {
    stream?.close();
    clearTimeout(timer);
    stream = undefined;
  }
  // Where the stream does not get through, the page asks now and then.
  async function ask() {
    try {
      const answer = await fetch(`${address}?once=1`);
      if (answer.ok) show(await answer.json());
    } catch { /* the next time */ }
    if (!ended && document.visibilityState === "visible") timer = setTimeout(ask, 3000);
  }
  function open() {
    if (ended || stream || document.visibilityState !== "visible") return;
    if (failures >= 2) return void ask();
    stream = new EventSource(address);
    stream.onmessage = (event) => show(JSON.parse(event.data));
    stream.onerror = () => {
      failures++;
      if (stream.readyState === EventSource.CLOSED || failures >= 2) {
        close();
        timer = setTimeout(open, 1000);
      }
    };
  }
  document.addEventListener("visibilitychange", () => { close(); open(); });
  addEventListener("pagehide", close);
  open();
}

const bar = document.querySelector("progress[data-events]");
if (bar) follow(bar);
