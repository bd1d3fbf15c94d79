// Acme in the browser. What it knows of the second factor is call(), which tries again after whatever was wanted,
// and the three questions below it.

async function call(path, options = {}) {
  const answer = await fetch(path, options);
  if (answer.ok) return answer;
  const problem = await answer.json();
  switch (problem.reason) {
    case "not_authenticated": return signIn().then(() => call(path, options));
    case "step_up_required": return stepUp(problem.methods).then(() => call(path, options));
    case "not_enabled": return setUp().then(() => call(path, options));
    default: throw new Error(problem.detail);
  }
}

async function signIn() {
  const answer = await ask("sign-in", ({ email, password }) => post("/auth/login", { username: email, password }));
  if (answer.status === "mfa_required") {
    await ask("code", ({ code }) => post("/auth/totp-verify", { mfa_token: answer.mfa_token, ...proof(code) }));
  }
}

async function stepUp(methods) {
  if (methods.includes("totp")) {
    await ask("code", ({ code }) => post("/auth/step-up", proof(code)));
  } else {
    await ask("password", ({ password }) => post("/auth/step-up", { password }));
  }
}

async function setUp() {
  const setup = await post("/auth/totp/setup", {});
  $("qr-code").src = setup.qr_code;
  $("secret").textContent = setup.secret;
  const { backup_codes } = await ask("set-up", ({ code }) => post("/auth/totp/confirm", { code }));
  if (backup_codes === null) return; // they come with the first authenticator
  $("codes").textContent = backup_codes.join("\n");
  $("save").href = "data:text/plain," + encodeURIComponent(backup_codes.join("\n"));
  await ask("backup-codes").finally(() => { $("codes").textContent = $("save").href = ""; });
}

async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  const answer = await call(path, { method: "POST", headers, body: JSON.stringify(body) });
  return answer.status === 204 ? null : answer.json();
}

/** Six digits are a code from an app; anything else is meant as a backup code. */
function proof(text) {
  return /^\d{6}$/.test(text.replace(/[ -]/g, "")) ? { code: text } : { backup_code: text };
}

/** Show a dialog until what was typed is accepted, and return what `attempt` made of it. */
function ask(name, attempt = () => null) {
  const dialog = $(name);
  const form = dialog.querySelector("form");
  const alert = form.querySelector("[role=alert]");
  form.reset();
  alert.textContent = "";
  dialog.showModal();
  return new Promise((resolve, reject) => {
    form.onsubmit = async (event) => {
      event.preventDefault();
      try {
        const result = await attempt(Object.fromEntries(new FormData(form)));
        dialog.close();
        resolve(result);
      } catch (error) {
        alert.textContent = error.message;
      }
    };
    const cancelled = () => (dialog.close(), reject(new Error("Cancelled.")));
    dialog.oncancel = cancelled;
    form.querySelectorAll("button[type=button]").forEach((button) => { button.onclick = cancelled; });
  });
}

function $(id) {
  return document.getElementById(id);
}

/** Have a button do something, and say how it went. */
function on(name, work) {
  $(`${name}-button`).onclick = async () => {
    try {
      $("status").textContent = await work();
    } catch (error) {
      $("status").textContent = error.message;
    }
  };
}

async function whoIsThere() {
  const answer = await fetch("/me");
  return answer.ok ? `Signed in as ${(await answer.json()).email}.` : "Nobody is signed in.";
}

on("register", async () => {
  const { email } = await ask("register", (typed) => post("/register", typed));
  return `There is an account for ${email} now.`;
});
on("sign-in", async () => (await signIn(), whoIsThere()));
on("payout", async () => {
  const answer = await call("/payout", { method: "POST" });
  return `Paid to ${(await answer.json()).paid_to}.`;
});
on("sign-out", async () => (await fetch("/auth/logout", { method: "POST" }), whoIsThere()));
$("status").textContent = await whoIsThere();
