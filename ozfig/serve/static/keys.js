// The keyboard: Escape closes or stops what is nearest; the rest is in the list that ? opens.
import { $, state } from "./dom.js";
import { stop } from "./composer.js";
import { closeDrawer, drawer, drawerIsOpen } from "./sidebar.js";
import { hush } from "./speak.js";
import { copyLast, editLast } from "./thread.js";
import { finish, isRecording } from "./voice.js";

function escape() {
  if (document.querySelector("dialog[open], [popover]:popover-open")) return; // the browser closes them
  if (drawerIsOpen()) closeDrawer();
  else if (isRecording()) finish(true);
  else if (!hush() && state.busy) stop();
}

function search() {
  if (matchMedia("(max-width: 820px)").matches) drawer(true);
  $("find").focus();
  $("find").select();
}

const HELD = { k: search, O: () => location.assign("/"), ":": copyLast, ";": copyLast };
const ALONE = { "/": () => $("question").focus(), "?": () => $("shortcuts").showModal() };

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") return escape();
  if (document.querySelector("dialog[open]")) return;
  const writing = event.target.matches("input:not([type=checkbox], [type=range]), textarea, select");
  const empty = event.target === $("question") && !event.target.value;
  let act = event.ctrlKey || event.metaKey ? HELD[event.key] : writing ? null : ALONE[event.key];
  if (event.key === "ArrowUp" && empty) act = editLast;
  if (!act) return;
  event.preventDefault();
  act();
});
$("help").addEventListener("click", () => $("shortcuts").showModal());
