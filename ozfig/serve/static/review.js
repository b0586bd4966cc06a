// The pairs of a run: one is open at a time, keys and buttons change it. All HTML comes from the server's templates.
const $ = (id) => document.getElementById(id);
const list = $("entries");
let busy = false;

const entries = () => [...(list?.children ?? [])];
const current = () => list?.querySelector(".entry.current");
// what the keys are about: the open pair, or the one that was closed and still has the focus
const subject = () => current() ?? document.activeElement?.closest(".entry");
const head = (entry) => entry.querySelector(".head");

function open(entry, focus = true) {
  const before = current();
  if (before && before !== entry) close(before);
  if (!entry) return;
  entry.classList.add("current");
  entry.querySelector(".inside").hidden = false;
  entry.querySelector(".gist").hidden = true;
  head(entry).setAttribute("aria-expanded", true);
  if (!focus) return;
  head(entry).focus({ preventScroll: true });
  entry.scrollIntoView({ block: "nearest" });
}

function close(entry) {
  leave(entry);
  entry.classList.remove("current");
  entry.querySelector(".inside").hidden = true;
  entry.querySelector(".gist").hidden = false;
  head(entry).setAttribute("aria-expanded", false);
}

function move(step) {
  const all = entries();
  const at = all.indexOf(subject());
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step];
  if (next) return open(next);
  // at the end of a page the keys go on with the next one
  const link = document.querySelector(`.paging [rel=${step > 0 ? "next" : "prev"}]`);
  if (link) location.assign(`${link.href}#${step > 0 ? "first" : "last"}`);
}

// ---- changing

function complain(text = "") {
  $("toast").textContent = text && text[0].toUpperCase() + text.slice(1);
  $("toast").hidden = !text;
}

async function change(entry, body, told) {
  if (busy) return null;
  busy = true;
  complain();
  try {
    const path = `${location.pathname}/${encodeURIComponent(entry.dataset.id)}`;
    const reply = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const answer = await reply.json().catch(() => ({}));
    if (!reply.ok) throw new Error(answer.error?.message ?? `The server answered ${reply.status}.`);
    const made = document.createElement("ol");
    made.innerHTML = answer.html;
    const now = made.firstElementChild;
    entry.replaceWith(now);
    count(answer);
    $("said").textContent = told;
    return now;
  } catch (error) {
    complain(error instanceof TypeError ? "The server does not answer. Is it still running?" : error.message);
    return null;
  } finally {
    busy = false;
  }
}

function count({ waiting, counts }) {
  $("waiting").hidden = !waiting;
  $("waiting-count").textContent = waiting.toLocaleString("en");
  $("waiting-word").textContent = waiting === 1 ? "change waits" : "changes wait";
  for (const link of document.querySelectorAll(".fates a")) {
    const fate = link.dataset.fate;
    if (fate) link.querySelector(".num").textContent = (counts[fate] ?? 0).toLocaleString("en");
  }
}

const isFixed = (entry) => "fixed" in entry.dataset;

async function drop(entry) {
  if (!entry || isFixed(entry) || entry.dataset.fate === "dropped") return;
  const now = await change(entry, { action: "drop" }, "Dropped.");
  if (!now) return;
  const next = now.nextElementSibling;
  open(next ?? now);
}

async function restore(entry) {
  if (!entry || isFixed(entry) || entry.dataset.fate !== "dropped") return;
  open(await change(entry, { action: "restore" }, "Restored."));
}

function edit(entry) {
  if (!entry || isFixed(entry) || entry.querySelector(".editor")) return;
  open(entry, false);
  const form = $("editor").content.cloneNode(true).firstElementChild;
  for (const field of ["question", "answer", "context"]) {
    form[field].value = entry.querySelector(`[data-field=${field}]`)?.textContent ?? "";
  }
  entry.classList.add("editing");
  entry.querySelector(".inside").prepend(form);
  form.question.focus();
  form.scrollIntoView({ block: "nearest" });
}

function leave(entry) {
  entry.querySelector(".editor")?.remove();
  entry.classList.remove("editing");
}

async function save(form) {
  const entry = form.closest(".entry");
  const texts = Object.fromEntries(new FormData(form));
  const now = await change(entry, { action: "edit", ...texts }, "Saved.");
  if (now) open(now);
}

// ---- mouse and keys

const ACTS = { edit, drop, restore };

list?.addEventListener("click", (event) => {
  const entry = event.target.closest(".entry");
  const button = event.target.closest("button");
  if (button?.classList.contains("head")) entry.classList.contains("current") ? close(entry) : open(entry);
  else if (button?.dataset.act) ACTS[button.dataset.act](entry);
  else if (button?.value === "cancel") cancel(entry);
  else if (event.target.closest(".gist")) open(entry);
});
list?.addEventListener("submit", (event) => {
  event.preventDefault();
  save(event.target);
});

function cancel(entry) {
  leave(entry);
  head(entry).focus();
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  e: () => edit(subject()),
  d: () => drop(subject()),
  r: () => restore(subject()),
  "/": () => $("search").select(),
  "?": () => $("keys").showModal(),
};

document.addEventListener("keydown", (event) => {
  const form = event.target.closest?.(".editor");
  if (form && event.key === "Escape") return cancel(form.closest(".entry"));
  if (form && event.key === "Enter" && (event.ctrlKey || event.metaKey)) return form.requestSubmit();
  const isTyping = event.target.closest?.("input, textarea, select, dialog");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  KEYS[event.key]();
});
$("help").addEventListener("click", KEYS["?"]);
$("filters").addEventListener("change", (event) => event.target.matches("select") && $("filters").requestSubmit());
$("filters").addEventListener("submit", () => {
  // what is empty stays out of the address
  for (const field of $("filters").elements) field.disabled = field.name && !field.value;
});
addEventListener("pageshow", () => {
  for (const field of $("filters").elements) field.disabled = false;
});

if (location.hash === "#first") open(entries().at(0));
if (location.hash === "#last") open(entries().at(-1));
