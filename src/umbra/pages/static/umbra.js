// What makes pages quicker to use. Everything works without it, and nothing leaves the page by it.
"use strict";

const all = (selector) => document.querySelectorAll(selector);

// Buttons that need a script appear with it.
for (const button of all(".script")) button.hidden = false;

for (const button of all("[data-copy]")) {
  button.addEventListener("click", async () => {
    const shown = document.getElementById(button.dataset.copy);
    const lines = shown.querySelectorAll("li");
    const text = lines.length ? [...lines].map((line) => line.innerText.trim()).join("\n") : shown.innerText.trim();
    await navigator.clipboard.writeText(text);
    const before = button.textContent;
    button.textContent = button.dataset.copied;
    button.setAttribute("aria-live", "polite");
    setTimeout(() => { button.textContent = before; }, 3000);
  });
}

for (const button of all("[data-print]")) button.addEventListener("click", () => window.print());

// Times in the reader's own zone; the page has them in UTC.
for (const time of all("time")) {
  const at = new Date(time.dateTime);
  const form = "clock" in time.dataset ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" };
  time.title = time.textContent;
  time.textContent = new Intl.DateTimeFormat(document.documentElement.lang, form).format(at);
}

// How long is left to wait. The server's clock counts; the reader's may be wrong, and only has to run as fast.
for (const wait of all("[data-left]")) {
  const left = document.createElement("strong");
  const over = Date.now() + 1000 * wait.dataset.left;
  left.setAttribute("role", "timer");
  wait.append(" ", left);
  const tick = () => {
    const seconds = Math.ceil((over - Date.now()) / 1000);
    if (seconds > 0) {
      left.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
      setTimeout(tick, 1000);
    } else {
      wait.textContent = wait.dataset.over;
      wait.setAttribute("role", "status");
    }
  };
  tick();
}

// A hint on a new password, from its length and variety. The server decides, with dictionaries.
function strength(password, least) {
  if (password.length < least) return 0;
  const distinct = new Set(password.toLowerCase()).size;
  const words = password.split(/[^\p{L}\p{N}]+/u).filter((word) => word.length > 2);
  const runs = (password.match(/(.)\1+|012|123|234|345|456|567|678|789|abc|qwe|asd|pass|word/gi) || []).join("").length;
  const worth = distinct + 2 * new Set(words).size + Math.min(password.length, 30) / 3 - 1.5 * runs;
  return worth < 14 ? 1 : worth < 22 ? 2 : 3;
}

for (const input of all("[data-strength]")) {
  const shown = document.getElementById(`${input.id}-strength`);
  const { short, weak, fair, good } = shown.dataset;
  input.addEventListener("input", () => {
    const worth = strength(input.value, Number(input.dataset.strength));
    shown.hidden = input.value === "";
    shown.querySelector("meter").value = worth;
    shown.querySelector("[role=status]").textContent = [short, weak, fair, good][worth];
  });
}

// Whoever leaves codes that are shown once is asked, unless they say that they have them.
for (const form of all("[data-leaving]")) {
  const ask = (event) => event.preventDefault();
  window.addEventListener("beforeunload", ask);
  form.addEventListener("submit", () => window.removeEventListener("beforeunload", ask));
}
