// The page of a run that is under way: the part that changes is asked for while it does, and not while it is hidden.
const live = document.getElementById("live");
const said = document.getElementById("status");
const EVERY = 1500;
let tag = "";

async function follow() {
  const reply = await fetch(`${location.pathname}/live`, { headers: tag ? { "If-None-Match": tag } : {} });
  if (!reply.ok) return reply.status === 304;
  tag = reply.headers.get("ETag");
  live.innerHTML = await reply.text();
  const busy = live.querySelector("[data-state]").dataset.state === "busy";
  live.dataset.busy = busy;
  return busy;
}

async function watch() {
  while (live.dataset.busy === "true") {
    await new Promise((resolve) => setTimeout(resolve, EVERY));
    if (document.hidden) continue;
    try {
      if (!(await follow())) return location.reload(); // ended: now there may be a report
      said.textContent = "";
    } catch {
      said.textContent = "The server does not answer; this page tries again.";
    }
  }
}

watch();
