// The chat page: sends a question, follows its answer, looks after the list. All HTML comes from the server's
// templates; what the model writes is only ever set as text here.
import { events } from "./events.js";

const $ = (id) => document.getElementById(id);
const [thread, turns, box, send, title] = ["thread", "turns", "question", "send", "title"].map($);
let conversation = document.body.dataset.conversation;
let busy = false;

// ---- talking to the server

async function call(path, method = "GET", body = undefined) {
  const json = body && { "Content-Type": "application/json" };
  const reply = await fetch(path, { method, headers: json, body: body && JSON.stringify(body) });
  if (reply.ok) return reply;
  const told = await reply.json().catch(() => ({}));
  throw new Error(told.error?.message ?? `The server answered ${reply.status}.`);
}

function complain(text = "") {
  $("problem").textContent = text && text[0].toUpperCase() + text.slice(1);
  $("problem").hidden = !text;
}

const unreachable = (error) =>
  complain(error instanceof TypeError ? "The server does not answer. Is it still running?" : error.message);

// ---- asking and following

async function ask(question) {
  setBusy(true);
  complain();
  let kept = false;
  try {
    if (!conversation) await begin(question);
    const reply = await call(`/chat/${conversation}/messages`, "POST", { content: question });
    box.value = "";
    grow();
    kept = true;
    refreshList();
    await show(reply);
  } catch (error) {
    if (!kept) box.value = question;
    grow();
    unreachable(error);
  }
  setBusy(false);
}

async function begin(question) {
  const made = await (await call("/chat", "POST", { content: question })).json();
  conversation = made.id;
  history.pushState(null, "", `/chat/${made.id}`);
  setTitle(made.title);
  $("empty")?.remove();
  $("manage").hidden = false;
}

async function show(reply) {
  let article;
  let text = "";
  for await (const { name, data } of events(reply.body)) {
    if (name === "turns") {
      article = startTurns(data);
      $("status").textContent = "The answer is being written.";
    } else if (name === "text") {
      text += data;
      const stick = isAtEnd();
      article.querySelector(".body").textContent = text.trimStart();
      if (stick) toEnd();
    } else if (name !== "sources") {
      const stick = isAtEnd();
      article.outerHTML = data.html;
      if (stick) toEnd();
      $("status").textContent = name === "done" ? "The answer is complete." : "";
      if (name === "failed") complain(data.message);
    }
  }
}

function startTurns(html) {
  // after a reload the page already holds the unfinished answer and its question
  const cut = turns.querySelector('[data-status="streaming"]');
  if (cut) {
    cut.previousElementSibling?.remove();
    cut.remove();
  }
  turns.insertAdjacentHTML("beforeend", html.join(""));
  toEnd();
  return turns.lastElementChild;
}

async function stop() {
  await call(`/chat/${conversation}/stop`, "POST").catch(unreachable);
}

async function resume() {
  if (!turns.querySelector('[data-status="streaming"]')) return;
  setBusy(true);
  try {
    const reply = await call(`/chat/${conversation}/stream`);
    if (reply.status === 204) location.reload();
    else await show(reply);
  } catch (error) {
    unreachable(error);
  }
  setBusy(false);
}

// ---- the field

function setBusy(value) {
  busy = value;
  send.textContent = busy ? "Stop" : "Send";
  send.classList.toggle("stop", busy);
  thread.setAttribute("aria-busy", busy);
  enable();
}

function enable() {
  send.disabled = !busy && (!box.value.trim() || document.body.dataset.model !== "ok");
}

function grow() {
  if (!CSS.supports("field-sizing", "content")) {
    box.rows = 1;
    while (box.scrollHeight > box.clientHeight + 2 && box.rows < 10) box.rows += 1;
  }
  enable();
}

function submit() {
  const question = box.value.trim();
  if (busy) stop();
  else if (question && !send.disabled) ask(question);
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
box.addEventListener("input", grow);
box.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  if (!busy) submit();
});
for (const example of document.querySelectorAll(".example")) {
  example.addEventListener("click", () => {
    box.value = example.textContent;
    grow();
    box.focus();
    submit();
  });
}

// ---- the thread

const isAtEnd = () => thread.scrollHeight - thread.scrollTop - thread.clientHeight < 60;
const toEnd = () => (thread.scrollTop = thread.scrollHeight);
thread.addEventListener("scroll", () => ($("latest").hidden = isAtEnd()));
$("latest").addEventListener("click", toEnd);

turns.addEventListener("click", async (event) => {
  const button = event.target.closest(".copy");
  if (!button) return;
  const done = await copy(button.closest("article").dataset.text);
  button.textContent = done ? "Copied" : "Could not copy";
  $("status").textContent = button.textContent;
  setTimeout(() => (button.textContent = "Copy"), 1600);
});

async function copy(text) {
  // browsers offer the clipboard on https and on this machine only; elsewhere a selection does it
  if (navigator.clipboard) return navigator.clipboard.writeText(text).then(() => true, () => false);
  const field = document.body.appendChild(Object.assign(document.createElement("textarea"), { value: text }));
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
}

// ---- the list, the title

let typed;
$("find").addEventListener("input", () => {
  clearTimeout(typed);
  typed = setTimeout(refreshList, 150);
});

async function refreshList() {
  const query = new URLSearchParams({ search: $("find").value, current: conversation });
  const reply = await call(`/chat?${query}`).catch(unreachable);
  if (reply) $("list").innerHTML = await reply.text();
}

function setTitle(text) {
  title.textContent = text;
  document.title = `${text} · ozfig`;
}

function renaming(on) {
  $("rename-form").hidden = !on;
  title.hidden = on;
  $("manage").hidden = on;
  if (!on) return $("rename").focus();
  $("rename-field").value = title.textContent;
  $("rename-field").select();
}

$("rename").addEventListener("click", () => renaming(true));
$("rename-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = $("rename-field").value.trim();
  try {
    if (text) {
      setTitle((await (await call(`/chat/${conversation}`, "PATCH", { title: text })).json()).title);
      refreshList();
    }
  } catch (error) {
    unreachable(error);
  }
  renaming(false);
});
$("rename-field").addEventListener("blur", () => $("rename-form").hidden || renaming(false));

$("delete").addEventListener("click", () => $("confirm").showModal());
$("confirm").addEventListener("close", async () => {
  if ($("confirm").returnValue !== "delete") return;
  try {
    await call(`/chat/${conversation}`, "DELETE");
    location.assign("/");
  } catch (error) {
    unreachable(error);
  }
});

// ---- the drawer on narrow screens

const narrow = matchMedia("(max-width: 820px)");
function drawer(open) {
  document.body.classList.toggle("drawer", open);
  $("open-side").setAttribute("aria-expanded", open);
  document.querySelector("main").inert = open;
}
$("open-side").addEventListener("click", () => {
  drawer(true);
  $("close-side").focus();
});
const closeDrawer = () => {
  drawer(false);
  $("open-side").focus();
};
$("close-side").addEventListener("click", closeDrawer);
$("shade").addEventListener("click", closeDrawer);
narrow.addEventListener("change", () => drawer(false));

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || $("confirm").open) return;
  if (!$("rename-form").hidden) renaming(false);
  else if (document.body.classList.contains("drawer")) closeDrawer();
  else if (busy) stop();
});
window.addEventListener("popstate", () => location.reload());

// ---- start

async function waitForModel() {
  const words = { loading: "loading", failed: "could not be loaded", ok: "" };
  while (document.body.dataset.model !== "ok") {
    $("state").textContent = words[document.body.dataset.model];
    await new Promise((resolve) => setTimeout(resolve, 700));
    const health = await fetch("/health").then((reply) => reply.json()).catch(() => null);
    if (health) document.body.dataset.model = health.status;
  }
  $("state").textContent = "";
  enable();
}

toEnd();
grow();
waitForModel();
resume();
