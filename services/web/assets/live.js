// Looks again every two seconds and puts in what has changed; a hidden page rests.
const PAUSE = 2000;
const live = document.getElementById("live");
const freshness = document.getElementById("freshness");
const told = freshness.textContent;
let shown = null;

async function look() {
  if (!document.hidden) {
    try {
      const answer = await fetch("/live", { cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      const text = await answer.text();
      // Replacing equal content would take away the selection and the focus of whoever reads.
      if (text !== shown) {
        if (shown !== null) replace(text);
        shown = text;
      }
      tell(told);
    } catch {
      tell("The suite does not answer; this is what was there last.");
    }
  }
  setTimeout(look, PAUSE);
}

function replace(text) {
  const focused = document.activeElement?.closest("a")?.href;
  live.innerHTML = text;
  if (focused) live.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function tell(words) {
  if (freshness.textContent !== words) freshness.textContent = words;
}

look();
