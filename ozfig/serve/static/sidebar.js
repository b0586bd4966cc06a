// Conversations at the side: search, the menu of each, and the drawer on narrow screens.
import { $, ask, call, state, tell } from "./dom.js";

const menu = $("menu");
let subject = null; // the conversation that the menu is open for
let opener = null;
let typed;

export async function refreshList() {
  const query = new URLSearchParams({ search: $("find").value, current: state.conversation, kind: state.kind });
  const reply = await call(`/chat?${query}`).catch(tell);
  if (reply) $("list").innerHTML = await reply.text();
}

export function setTitle(text) {
  $("title").textContent = text;
  document.title = `${text} · ozfig`;
}

$("find").addEventListener("input", () => {
  clearTimeout(typed);
  typed = setTimeout(refreshList, 150);
});

// ---- the menu

function openMenu(button) {
  const row = button.closest("li")?.querySelector("a");
  opener = button;
  subject = row ? { id: button.dataset.id, title: row.textContent } : { id: state.conversation, title: $("title").textContent };
  for (const link of menu.querySelectorAll("a")) link.href = `/chat/${subject.id}/export?format=${link.dataset.do}`;
  menu.showPopover();
  const [at, own] = [button.getBoundingClientRect(), menu.getBoundingClientRect()];
  menu.style.left = `${Math.max(8, Math.min(at.left, innerWidth - own.width - 8))}px`;
  menu.style.top = `${at.bottom + own.height + 8 > innerHeight ? at.top - own.height - 4 : at.bottom + 4}px`;
  menu.querySelector("[role=menuitem]").focus();
}

$("manage").addEventListener("click", () => openMenu($("manage")));
$("list").addEventListener("click", (event) => {
  const button = event.target.closest("button.more");
  if (button) openMenu(button);
});
menu.addEventListener("keydown", (event) => {
  const items = [...menu.querySelectorAll("[role=menuitem]")];
  const step = { ArrowDown: 1, ArrowUp: -1, Tab: event.shiftKey ? -1 : 1 }[event.key];
  if (!step) return;
  event.preventDefault();
  items.at((items.indexOf(document.activeElement) + step) % items.length).focus();
});
menu.addEventListener("toggle", (event) => event.newState === "closed" && opener?.focus());
menu.addEventListener("click", (event) => {
  const action = event.target.closest("[data-do]")?.dataset.do;
  if (!action) return;
  menu.hidePopover();
  if (action === "rename") rename(subject).catch(tell);
  if (action === "delete") remove(subject).catch(tell);
});

async function rename({ id, title }) {
  $("rename-field").value = title;
  const answer = ask($("renaming"));
  $("rename-field").select();
  const text = $("rename-field");
  if ((await answer) !== "rename" || !text.value.trim()) return;
  const kept = await (await call(`/chat/${id}`, "PATCH", { title: text.value.trim() })).json();
  if (id === state.conversation) setTitle(kept.title);
  await refreshList();
}

async function remove({ id, title }) {
  $("confirm-name").textContent = title;
  if ((await ask($("confirm"))) !== "delete") return;
  await call(`/chat/${id}`, "DELETE");
  if (id === state.conversation) location.assign(state.kind === "compare" ? "/compare" : "/");
  else await refreshList();
}

// ---- the drawer

export const drawerIsOpen = () => document.body.classList.contains("drawer");

export function drawer(open) {
  document.body.classList.toggle("drawer", open);
  $("open-side").setAttribute("aria-expanded", open);
  document.querySelector("main").inert = open;
  if (open) $("close-side").focus();
}

export function closeDrawer() {
  drawer(false);
  $("open-side").focus();
}

$("open-side").addEventListener("click", () => drawer(true));
$("close-side").addEventListener("click", closeDrawer);
$("shade").addEventListener("click", closeDrawer);
matchMedia("(max-width: 820px)").addEventListener("change", () => drawer(false));
