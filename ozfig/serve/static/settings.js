// What is set for a conversation: only what differs from the server's defaults is kept.
import { $, call, state, tell } from "./dom.js";

const form = $("settings");
const fields = () => [...form.elements].filter((field) => field.name);

const valueOf = (field) =>
  field.type === "checkbox" ? field.checked : ["range", "number"].includes(field.type) ? field.valueAsNumber : field.value;

function read() {
  const set = fields().filter((field) => field.checkValidity() && String(valueOf(field)) !== field.dataset.default);
  state.settings = Object.fromEntries(set.map((field) => [field.name, valueOf(field)]));
  for (const shown of form.querySelectorAll("output")) shown.value = form.elements[shown.htmlFor].value;
  const beyond = set.some((field) => $("sheet").contains(field));
  $("open-settings").classList.toggle("set", beyond);
}

async function keep() {
  read();
  if (state.conversation) await call(`/chat/${state.conversation}/settings`, "PUT", state.settings).catch(tell);
}

// fields outside of the form belong to it by their attribute, and their events do not pass through it
for (const field of fields()) {
  field.addEventListener("input", read);
  field.addEventListener("change", keep);
}
$("open-settings").addEventListener("click", () => $("sheet").showModal());
$("defaults").addEventListener("click", () => {
  for (const field of fields()) if ($("sheet").contains(field)) field.value = field.dataset.default;
  keep();
});
for (const button of document.querySelectorAll("dialog [data-close]"))
  button.addEventListener("click", () => button.closest("dialog").close());
for (const dialog of document.querySelectorAll("dialog"))
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // the backdrop

read();
