// What is wrong with how a page lies on the screen.
() => {
  const shown = (one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest(".for-readers, thead");
  const named = (one) => one.outerHTML.slice(0, 120);
  const ours = [...document.body.querySelectorAll("*")].filter(shown);
  const holdsText = (one) => [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());

  const isCut = (one) => getComputedStyle(one).overflow !== "visible" && holdsText(one)
    && (one.scrollHeight > one.clientHeight + 1 || one.scrollWidth > one.clientWidth + 1);
  const isOut = (one) => holdsText(one) && one.getBoundingClientRect().right > innerWidth + 1;

  const lines = (one) => [...new Set([...one.getClientRects()].map(({ top }) => Math.round(top)))].length;
  const isBroken = (one) => {
    const words = document.createRange();
    words.selectNodeContents(one.firstChild);
    return lines(words) > one.firstChild.textContent.trim().split(/\s+/).length;
  };
  const broken = ours.filter((one) => one.matches("button, .button") && isBroken(one)).map(named);

  const places = ours.filter((one) => one.matches("a, button, input, summary") && !one.matches(".skip"))
    .map((one) => ({ one, box: one.getBoundingClientRect() }));
  const meet = ({ box: a }, { box: b }) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  const over = places.flatMap((a, i) => places.slice(i + 1).filter((b) => !a.one.contains(b.one) && meet(a, b))
    .map((b) => `${named(a.one)} and ${named(b.one)}`));
  return {
    width: document.documentElement.scrollWidth,
    cut: ours.filter(isCut).map(named),
    out: ours.filter(isOut).map(named),
    over,
    broken,
  };
}
