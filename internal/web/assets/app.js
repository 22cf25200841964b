// What makes a page live: it hears on /stream that something moved, asks for
// itself anew and takes over what differs, node by node, so that focus,
// selection, scroll, open details and what was typed stay. Without it every
// page works; it is then as old as its last reload.
const topics = document.body.dataset.topics;
const live = document.getElementById("live");
const fresh = document.getElementById("fresh");
const stale = document.getElementById("stale");
const slowly = 15000; // between two reads where no stream is to be had
const patience = 10000; // without an answer before that is said
let source, timer, reading = false, again = false, announced = 0;
let heard = Date.now(), hearing = false; // what stands here is of heard, or of now
let lost = 0; // since when nobody answers; 0: somebody does

// Times.

function span(s) {
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 2 * 86400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

// clock is a countdown by the second.
function clock(s) {
  const two = n => String(n).padStart(2, "0");
  return `${Math.floor(s / 3600)}:${two(Math.floor(s % 3600 / 60))}:${two(s % 60)}`;
}

// moment is a time of today in UTC, or that of another day with its date.
function moment(t) {
  const text = new Date(t).toISOString().slice(0, 19).replace("T", " ");
  return text.slice(0, 10) === new Date().toISOString().slice(0, 10) ? text.slice(11) : text;
}

function tick() {
  for (const t of document.querySelectorAll("time[data-tick]")) {
    const s = Math.round((Date.parse(t.dateTime) - Date.now()) / 1000);
    let text = "now";
    if (s > 0) text = "in " + (t.dataset.tick === "count" && s >= 60 && s < 100 * 3600 ? clock(s) : span(s));
    if (s < 0 && t.dataset.tick === "ago") text = span(-s) + " ago";
    if (t.textContent !== text) t.textContent = text;
  }
  // A stream may end where all is well, so one more read decides.
  if (lost && !stale.textContent && !reading && wanted() && Date.now() - lost >= patience) read();
}

// Taking over.

function alike(a, b) {
  return a && a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || "") === (b.id || "");
}

function attributes(old, now) {
  for (const { name } of [...old.attributes])
    if (!now.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  for (const { name, value } of now.attributes)
    if (old.getAttribute(name) !== value && !(name === "open" && old.nodeName === "DETAILS")) old.setAttribute(name, value);
}

function take(old, now) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== now.nodeValue) old.nodeValue = now.nodeValue;
    return;
  }
  attributes(old, now);
  if (old.nodeName === "SELECT") return; // what was chosen stays
  const ids = new Set([...now.children].map(c => c.id));
  for (const child of [...old.children]) if (child.id && !ids.has(child.id)) child.remove();
  let at = old.firstChild;
  for (const child of [...now.childNodes]) {
    let match = at;
    if (child.id) { // it may have moved
      match = [...old.children].find(c => c.id === child.id);
      if (match && match !== at) { // moving it would take its focus: the rest moves
        while (at && at.nodeType !== Node.ELEMENT_NODE) [at] = [at.nextSibling, at.remove()];
        if (match !== at) old.insertBefore(match, at);
        at = match;
      }
    }
    if (alike(match, child)) {
      take(match, child);
      at = match.nextSibling;
    } else {
      old.insertBefore(child, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

async function read() {
  if (reading) {
    again = true;
    return;
  }
  reading = true;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, signal: AbortSignal.timeout(2 * slowly) });
    if (new URL(answer.url).pathname !== location.pathname) return location.reload(); // signed out
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const main = page.getElementById("main");
    if (!main) throw new Error("not a page");
    const gist = main.dataset.gist;
    if (gist !== document.getElementById("main").dataset.gist && Date.now() - announced > 10000) {
      announced = Date.now();
      fresh.textContent = gist;
    }
    take(document.getElementById("main"), main);
    heard = Date.now();
    mark(false);
    tick();
  } catch {
    mark(true);
    if (Date.now() - lost >= patience) stale.textContent = `Deltahook has not answered since ${moment(heard)} UTC; what stands here is of then.`;
  } finally {
    reading = false;
    if (again) {
      again = false;
      read();
    }
  }
}

// Hearing.

function mark(gone) {
  lost = gone ? lost || Date.now() : 0;
  if (!gone) stale.textContent = "";
  live.classList.toggle("lost", gone);
  live.textContent = live.ariaPressed === "false" ? "Paused" : gone ? "Reconnecting" : "Live";
}

function hear() {
  silence();
  const words = new URLSearchParams(topics.split(" ").map(t => ["topic", t]));
  source = new EventSource("/stream?" + words);
  source.addEventListener("moved", read);
  source.onopen = () => {
    hearing = true;
    read(); // what moved since the page was made, or while nobody heard, is told by nobody
  };
  source.onerror = () => {
    heardLast();
    mark(true);
    if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
    timer = setTimeout(() => { read(); hear(); }, slowly);
  };
}

// heardLast notes that the stream ends, up to which nothing was missed.
function heardLast() {
  if (hearing) heard = Date.now();
  hearing = false;
}

function silence() {
  heardLast();
  clearTimeout(timer);
  source?.close();
}

function wanted() { return live.ariaPressed !== "false" && !document.hidden; }

// A hidden page gives its connection back: a browser has six for an address.
function turn() {
  if (!wanted()) return silence();
  hear();
}

if (topics && live) {
  live.hidden = false;
  if (sessionStorage.getItem("paused")) live.ariaPressed = "false";
  live.addEventListener("click", () => {
    const paused = live.ariaPressed !== "false";
    live.ariaPressed = String(!paused);
    paused ? sessionStorage.setItem("paused", "1") : sessionStorage.removeItem("paused");
    mark(false);
    turn();
  });
  document.addEventListener("visibilitychange", turn);
  window.addEventListener("pagehide", silence);
  window.addEventListener("pageshow", e => { if (e.persisted) turn(); });
  mark(false);
  if (wanted()) hear();
}

// What was done is said once.
const here = new URL(location.href);
if (here.searchParams.has("did")) {
  here.searchParams.delete("did");
  here.searchParams.delete("n");
  history.replaceState(null, "", here);
}

// One box for all boxes.
document.addEventListener("change", e => {
  if (e.target.id === "all")
    for (const box of document.querySelectorAll("input[name=delivery]")) box.checked = e.target.checked;
});

setInterval(tick, 1000);
