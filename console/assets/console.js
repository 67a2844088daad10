// Keeps pages current, and a few conveniences. Everything works without it except what is live.
"use strict";

// Events of the server: what runs and how far it is. A browser opens only six connections to one place, so one of its
// pages holds the stream (a lock says which) and passes events on to the others.
class Live extends HTMLElement {
  connectedCallback() {
    this.mark = this.dataset.mark || null;
    this.last = null;
    this.channel = new BroadcastChannel("dedup-live");
    this.channel.onmessage = (message) => {
      if (!message.data.hello) this.seen(message.data);
      else if (this.last) this.channel.postMessage(this.last);
    };
    this.channel.postMessage({ hello: true });
    if (navigator.locks) {
      navigator.locks.request("dedup-live", () => this.follow());
    } else {
      this.follow();
    }
  }

  // Holds the lock until the page is closed.
  follow() {
    return new Promise(() => {
      const source = new EventSource("/live");
      source.addEventListener("seen", (event) => {
        const data = { ...JSON.parse(event.data), online: true };
        this.last = data;
        this.seen(data);
        this.channel.postMessage(data);
      });
      source.addEventListener("error", () => {
        clearTimeout(this.late);
        this.late = setTimeout(() => {
          if (source.readyState === EventSource.OPEN) return;
          const data = { online: false };
          this.seen(data);
          this.channel.postMessage(data);
          if (source.readyState === EventSource.CLOSED) this.look();
        }, 5000);
      });
      source.addEventListener("open", () => clearTimeout(this.late));
    });
  }

  // The stream was refused: logged out, most often.
  async look() {
    try {
      const answer = await fetch("/api/status", { headers: { "X-Dedup-Idle": "1" } });
      if (answer.status === 401) location.assign("/login");
    } catch {
      // Not there; the note says so.
    }
  }

  seen(data) {
    const offline = document.getElementById("offline");
    if (offline) offline.hidden = data.online;
    if (!data.online) return;
    for (const job of data.jobs) this.show(job);
    if (this.mark !== null && this.mark !== data.mark) this.changed();
    this.mark = data.mark;
  }

  show(job) {
    const at = document.querySelector(`[data-job="${job.job}"]`);
    if (!at) return;
    const bar = at.querySelector("progress");
    if (job.percent === null) bar.removeAttribute("value");
    else bar.value = job.percent;
    const say = (name, text) => { at.querySelector(`[data-${name}]`).textContent = text; };
    say("percent", job.percent === null ? "" : `${Math.floor(job.percent)} %`);
    say("done", job.done);
    say("rate", job.rate);
    say("current", job.current);
  }

  changed() {
    const part = document.querySelector("[data-live]");
    if (!part) return;
    if (part.dataset.live === "reload") {
      // Not while somebody fills in a field.
      const at = document.activeElement;
      if (!at || !at.matches("input, select, textarea")) reload();
      else at.addEventListener("blur", () => setTimeout(reload, 1000), { once: true });
    }
    // Not below the hands of somebody who is at a button of it.
    else htmx.trigger(part, "changed");
  }
}
customElements.define("dd-live", Live);

// Not while another page is on its way: that would keep somebody here who has just followed a link. After a download this
// one stays, so that counts for a moment only.
let leaving = 0;
addEventListener("beforeunload", () => { leaving = Date.now(); });
function reload() {
  if (Date.now() - leaving > 2000) location.reload();
  else setTimeout(reload, 2000);
}

// The days of a strip, one by one, by pointer or arrow keys.
function tip(strip, cell) {
  for (const other of strip.querySelectorAll(".picked")) other.classList.remove("picked");
  const out = strip.querySelector(".tip");
  out.textContent = cell ? cell.title || cell.dataset.title : "";
  if (cell) cell.classList.add("picked");
}

document.addEventListener("pointerover", (event) => {
  const strip = event.target.closest(".strip");
  if (strip && event.target.matches("i")) tip(strip, event.target);
});
document.addEventListener("pointerout", (event) => {
  const strip = event.target.closest(".strip");
  if (strip) tip(strip, null);
});
document.addEventListener("focusin", (event) => {
  if (event.target.matches(".strip")) tip(event.target, event.target.querySelector("i:last-of-type"));
});
document.addEventListener("focusout", (event) => {
  if (event.target.matches(".strip")) tip(event.target, null);
});

const go = { h: "/", r: "/restore", y: "/history", s: "/sets", d: "/destinations", e: "/settings" };
let pressed = "";
document.addEventListener("keydown", (event) => {
  const at = event.target;
  if (at.matches(".strip") && ["ArrowLeft", "ArrowRight"].includes(event.key)) {
    const cells = [...at.querySelectorAll("i")];
    const now = cells.findIndex((cell) => cell.classList.contains("picked"));
    const next = cells[now + (event.key === "ArrowLeft" ? -1 : 1)];
    if (next) tip(at, next);
    event.preventDefault();
    return;
  }
  if (event.key === "Escape") document.querySelectorAll("details.menu[open]").forEach((menu) => { menu.open = false; });
  if (at.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  const keys = document.getElementById("keys");
  if (!keys) return;
  if (event.key === "?") keys.showModal();
  if (event.key === "/") {
    document.querySelector(".top .search input").focus();
    event.preventDefault();
  }
  if (pressed === "g" && go[event.key]) location.assign(go[event.key]);
  pressed = event.key;
});

document.addEventListener("click", async (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  const twist = event.target.closest(".twist:not([data-server])");
  if (twist) {
    const opens = twist.getAttribute("aria-expanded") === "false";
    twist.setAttribute("aria-expanded", String(opens));
    twist.parentElement.querySelector(".below").hidden = !opens;
  }
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    await navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).textContent);
    copy.textContent = copy.dataset.copied;
  }
});

// The other of what is seen now, which without a choice is the system's.
const theme = document.querySelector("[data-theme-switch]");
if (theme && !document.documentElement.dataset.theme) {
  theme.value = matchMedia("(prefers-color-scheme: dark)").matches ? "light" : "dark";
}

// The code of the link never leaves the browser but in the form.
const link = document.querySelector("[data-from-link]");
if (link && location.hash.length > 1) {
  link.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  document.querySelector("input[name=password]").focus();
}

// A browser without a viewer would download the file as soon as the frame asks for it.
const pdf = document.querySelector("iframe[data-pdf]");
if (pdf && navigator.pdfViewerEnabled !== false) [pdf.hidden, pdf.src] = [false, pdf.dataset.pdf];
else if (pdf) document.getElementById("no-pdf").hidden = false;

// A button that needs something ticked.
function needs() {
  let picked = document.querySelectorAll("input[name=pick]:checked").length;
  for (const grid of document.querySelectorAll("dd-grid")) picked += grid.picked ? grid.picked.size : 0;
  for (const button of document.querySelectorAll("[data-needs-pick]")) button.disabled = picked === 0;
}
document.addEventListener("change", needs);
needs();
