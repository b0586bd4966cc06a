// The chat and the comparison: puts the page's parts together.
import { $, pause, state } from "./dom.js";
import { watch } from "./compare.js";
import { enable, followOn, grow } from "./composer.js";
import { decorate } from "./decorate.js";
import "./keys.js";
import "./settings.js";

async function waitForModel() {
  const words = { loading: "loading", failed: "could not be loaded", ok: "" };
  while (["loading", "failed"].includes(document.body.dataset.model)) {
    $("state").textContent = words[document.body.dataset.model] ?? "";
    await pause(0.7);
    const health = await fetch("/health").then((reply) => reply.json()).catch(() => null);
    if (health) document.body.dataset.model = health.status;
  }
  $("state").textContent = "";
  enable();
}

// the pages of an older visit are not this one
addEventListener("popstate", () => location.reload());
decorate($("turns"));
grow();
watch(enable);
followOn();
waitForModel();
if (state.kind === "chat") document.querySelector(".list [aria-current]")?.scrollIntoView({ block: "nearest" });
