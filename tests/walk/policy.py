"""That the pages' policy is in force in the browser that walks, and not only in a header."""

from walk.walker import Walker

INTRUDE = """async () => {
  const refused = new Set();
  const all = new Promise((told) => {
    document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => {
      if (refused.add(effectiveDirective).size === 4) told();
    });
    setTimeout(told, 5000);
  });
  const script = document.createElement("script");
  script.textContent = "window.intruder = true";
  const style = document.createElement("style");
  style.textContent = "body { display: none }";
  const picture = new Image();
  document.head.append(script, style);
  picture.src = "https://elsewhere.example/";
  const sent = await fetch("https://elsewhere.example/").catch(() => "refused");
  await all;
  const hidden = getComputedStyle(document.body).display === "none";
  return { ran: "intruder" in window, hidden, sent, refused: [...refused] };
}"""


def hold(way: Walker) -> None:
    """Try to bring a script, a style, a picture and a request into a page, in a browser that nobody watches."""
    browser = way.context.browser
    assert browser is not None
    page = browser.new_page()
    page.goto(f"{way.service.address}/sign-in")
    came_of_it = page.evaluate(INTRUDE)
    page.context.close()
    assert not came_of_it["ran"], "a foreign script ran"
    assert not came_of_it["hidden"], "a foreign style counted"
    assert "refused" == came_of_it["sent"]
    assert {"script-src-elem", "style-src-elem", "img-src", "connect-src"} == set(came_of_it["refused"]), came_of_it
