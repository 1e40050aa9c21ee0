// What a page does by itself: filters that act at once, lists that grow, and arrows that walk a list.
"use strict";

for (const form of document.querySelectorAll("form[data-auto]")) {
  form.addEventListener("change", () => {
    for (const field of form.elements) field.disabled = field.disabled || field.value === "";
    form.submit();
  });
}

const light = document.getElementById("live");

function say(on) {
  if (!light) return;
  light.classList.toggle("off", !on);
  light.querySelector("span").textContent = on ? light.dataset.on : light.dataset.off;
}

for (const place of document.querySelectorAll("[data-live]")) {
  const source = new EventSource(place.dataset.live);
  source.addEventListener("open", () => say(true));
  source.addEventListener("error", () => say(false));
  source.addEventListener("rows", (event) => {
    const told = JSON.parse(event.data);
    const made = document.createElement("template");
    made.innerHTML = told.html; // the server's own template, with every value escaped
    place.prepend(made.content);
    while (place.children.length > Number(place.dataset.most)) place.lastElementChild.remove();
    document.getElementById("total").textContent = told.total;
    const empty = document.getElementById("empty");
    if (empty) empty.remove();
  });
  source.addEventListener("whole", (event) => {
    const open = place.querySelector("details[open]") !== null;
    if (place.contains(document.activeElement)) return; // not under the reader's hands
    place.innerHTML = JSON.parse(event.data).html;
    if (open) place.querySelector("details")?.setAttribute("open", "");
  });
  addEventListener("pagehide", () => source.close());
}

document.getElementById("rows")?.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const links = [...event.currentTarget.querySelectorAll("a")];
  links[links.indexOf(document.activeElement) + step]?.focus();
  event.preventDefault();
});
