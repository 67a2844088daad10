// A table of any length, of which only the rows in sight are there: the page has the first ones, and ranges of the rest
// come from the server as somebody scrolls (?from=..&count=..). Rows are equally high, so that a place in the table is a
// place on the page. What is ticked stays so while it is out of sight, and goes with the form.
"use strict";

// Rows that are asked for at once, ranges that are kept and asked for at the same time.
const RANGE = 200, RANGES_MAX = 60, ASKED_MAX = 4;
// Rows beyond those in sight, at each end.
const SPARE = 20;
// Browsers end a page at about twice this height; a longer table moves faster than the scroll bar.
const TALLEST = 8000000;

class Grid extends HTMLElement {
  static formAssociated = true;

  constructor() {
    super();
    this.internals = this.attachInternals();
    this.picked = new Set();
    this.ranges = new Map();
    this.asked = new Set();
    this.rows = [];
  }

  connectedCallback() {
    if (this.dataset.src) this.ask(0);
  }

  async ask(range) {
    this.asked.add(range);
    try {
      const answer = await fetch(`${this.dataset.src}&from=${range * RANGE}&count=${RANGE}`);
      if (answer.redirected) location.assign(answer.url);
      if (!answer.ok) throw new Error(answer.statusText);
      const found = await answer.json();
      this.ranges.set(range, found.rows);
      if (this.ranges.size > RANGES_MAX) this.ranges.delete(this.ranges.keys().next().value);
      if (this.total === undefined) this.begin(found.total);
    } catch {
      // Asked for again when somebody scrolls on.
      this.isBroken = true;
    } finally {
      this.asked.delete(range);
    }
    if (this.total !== undefined) this.draw();
  }

  // Takes over from the rows of the page.
  begin(total) {
    this.total = total;
    const table = this.querySelector("table");
    this.body = table.tBodies[0];
    this.pattern = this.querySelector("template").content.firstElementChild;
    for (const box of this.body.querySelectorAll("input:checked")) this.picked.add(box.value);
    this.classList.add("live");
    this.height = this.body.rows[0].getBoundingClientRect().height;
    const spacer = () => {
      const row = document.createElement("tr");
      row.className = "spacer";
      row.setAttribute("aria-hidden", "true");
      row.insertCell().colSpan = 5;
      return row;
    };
    [this.above, this.below] = [spacer(), spacer()];
    this.body.replaceChildren(this.above, this.below);
    const more = this.querySelector(".more");
    if (more) more.remove();
    table.setAttribute("aria-rowcount", total + 1);
    table.tHead.rows[0].setAttribute("aria-rowindex", 1);
    this.tabIndex = 0;
    this.setAttribute("role", "region");
    this.setAttribute("aria-label", this.dataset.label);
    this.addEventListener("scroll", () => { this.isBroken = false; this.draw(); }, { passive: true });
    this.addEventListener("keydown", (event) => this.key(event));
    this.addEventListener("change", (event) => this.pick(event.target));
    new ResizeObserver(() => this.draw()).observe(this);
    this.tell();
  }

  // Rows that fit.
  seen() {
    return Math.max(1, Math.floor(this.clientHeight / this.height) - 1);
  }

  whole() {
    return Math.min(this.total * this.height, TALLEST);
  }

  // The first row in sight, with its fraction.
  at() {
    if (this.total * this.height <= TALLEST) return this.scrollTop / this.height;
    const way = this.whole() - this.clientHeight;
    return this.scrollTop / way * (this.total - this.clientHeight / this.height);
  }

  // Where to scroll so that it is the first.
  placeOf(row) {
    if (this.total * this.height <= TALLEST) return row * this.height;
    return row / (this.total - this.clientHeight / this.height) * (this.whole() - this.clientHeight);
  }

  draw() {
    const at = this.at();
    const first = Math.max(0, Math.floor(at) - SPARE);
    const end = Math.min(this.total, Math.ceil(at) + this.seen() + 2 + SPARE);
    const isIn = (row) => row.nr >= first && row.nr < end;
    const kept = new Map(this.rows.filter(isIn).map((row) => [row.nr, row]));
    const free = new Set(this.rows.filter((row) => !isIn(row)));
    this.rows = [];
    let next = this.above.nextSibling;
    for (let nr = first; nr < end; nr += 1) {
      // Rows that stay are not moved, which would take the focus from them.
      while (free.has(next)) next = next.nextSibling;
      let row = kept.get(nr);
      if (!row) {
        row = free.values().next().value || this.pattern.cloneNode(true);
        free.delete(row);
        if (row.contains(document.activeElement)) this.focus({ preventScroll: true });
        row.entry = undefined;
      }
      this.fill(row, nr);
      if (row === next) next = next.nextSibling;
      else this.body.insertBefore(row, next);
      this.rows.push(row);
    }
    for (const row of free) row.remove();
    const above = this.total * this.height <= TALLEST ? first * this.height
      : Math.max(0, this.scrollTop - (at - first) * this.height);
    this.above.cells[0].style.height = `${above}px`;
    const below = this.whole() - above - (end - first) * this.height;
    this.below.cells[0].style.height = `${Math.max(0, below)}px`;
    this.askAround(first, end);
    if (this.wanted) this.reach();
  }

  // What is in sight, and the next ones in the direction in which somebody scrolls.
  askAround(first, end) {
    if (this.isBroken) return;
    const isUp = first < this.last;
    this.last = first;
    const from = Math.floor(Math.max(0, isUp ? first - 2 * RANGE : first) / RANGE);
    const to = Math.floor(Math.min(this.total - 1, isUp ? end : end + 2 * RANGE) / RANGE);
    const near = [];
    for (let range = from; range <= to; range += 1) near.push(range);
    const middle = (first + end) / 2 / RANGE - 0.5;
    near.sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle));
    for (const range of near) {
      if (this.asked.size >= ASKED_MAX) return;
      if (!this.ranges.has(range) && !this.asked.has(range)) this.ask(range);
    }
  }

  entry(nr) {
    const range = this.ranges.get(Math.floor(nr / RANGE));
    return range ? range[nr % RANGE] : null;
  }

  fill(row, nr) {
    const entry = this.entry(nr) || null;
    if (row.nr === nr && row.entry === entry) return;
    [row.nr, row.entry] = [nr, entry];
    row.setAttribute("aria-rowindex", nr + 2);
    row.classList.toggle("waiting", !entry);
    const [pick, name, changed, size, act] = row.cells;
    const box = pick.firstElementChild, link = name.firstElementChild, time = changed.firstElementChild;
    const to = (at, address, label) => {
      at.hidden = !address;
      if (address) at.href = address;
      else at.removeAttribute("href");
      if (label) at.setAttribute("aria-label", label);
    };
    box.hidden = !entry;
    link.textContent = entry ? entry.name + (entry.is_dir ? "/" : "") : "…";
    name.title = entry ? entry.full : "";
    name.lastElementChild.hidden = !entry || !entry.problem;
    size.textContent = entry ? entry.size : "";
    time.textContent = entry && entry.changed ? entry.changed.words : "";
    to(link, entry && entry.to);
    link.hidden = false;
    const [versions, download] = act.children;
    to(versions, entry && entry.versions, entry && `${versions.textContent} ${entry.full}`);
    to(download, entry && entry.download, entry && `${download.title} ${entry.full}`);
    if (!entry) return;
    box.value = entry.value;
    box.checked = this.picked.has(entry.value);
    box.setAttribute("aria-label", `${this.dataset.select} ${entry.full}`);
    if (entry.changed) [time.dateTime, time.title] = [entry.changed.iso, entry.changed.exact];
  }

  pick(box) {
    if (box.checked) this.picked.add(box.value);
    else this.picked.delete(box.value);
    this.tell();
  }

  // What goes with the form.
  tell() {
    const data = new FormData();
    for (const value of this.picked) data.append("pick", value);
    this.internals.setFormValue(data);
  }

  // From row to row, staying in the column.
  key(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: this.seen() - 1, PageUp: 1 - this.seen(), Home: -this.total, End: this.total };
    const step = steps[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = event.target.closest("tr");
    const cell = event.target.closest("td");
    // The first one in sight is where somebody comes from who is at none.
    const from = row ? row.nr : Math.ceil(this.at()) - (step === 1 ? 1 : 0);
    this.wanted = { nr: Math.min(this.total - 1, Math.max(0, from + step)), cell: cell ? cell.cellIndex : 1 };
    event.preventDefault();
    this.reach();
  }

  // Shows a row and gives it the focus, once it is there.
  reach() {
    const { nr, cell } = this.wanted;
    const first = this.at(), seen = this.seen();
    if (nr < first || nr > first + seen - 1) {
      this.scrollTop = this.placeOf(nr < first ? nr : nr - seen + 1);
    }
    const row = this.rows.find((one) => one.nr === nr && one.entry);
    if (!row) return;
    this.wanted = null;
    const can = (at) => at && [...at.querySelectorAll("input, a[href]")].find((one) => !one.hidden);
    const at = can(row.cells[cell]) || can(row);
    if (at) at.focus({ preventScroll: true });
  }
}
customElements.define("dd-grid", Grid);
