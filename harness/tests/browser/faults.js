// What is wrong with the page as it is laid out now: a list of sentences, empty for a sound page.
(() => {
  const faults = [];
  const name = (e) => `<${e.localName} class="${e.getAttribute("class") ?? ""}">`;
  const root = document.documentElement;
  const width = root.clientWidth;

  if (root.scrollWidth > width) faults.push(`the page is ${root.scrollWidth} wide on a screen of ${width}`);
  for (const e of document.querySelectorAll("body *")) {
    if (e.parentElement.closest(".scroll, svg, .unseen") || e.matches(".unseen")) continue;
    const box = e.getBoundingClientRect();
    if (box.width > 0 && (box.right > width + 1 || box.left < -1)) faults.push(`${name(e)} overflows the page`);
    if (e.matches(".scroll, svg")) continue;
    if (e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0 && getComputedStyle(e).display !== "inline")
      faults.push(`${name(e)} holds more than its width`);
  }

  const light = (colour) => {
    const [r, g, b] = colour.match(/[\d.]+/g).map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const paper = getComputedStyle(document.body).backgroundColor;
  const contrast = (colour) => {
    const [a, b] = [light(colour), light(paper)];
    return Math.max(a, b) / Math.min(a, b);
  };
  const words = getComputedStyle(document.body).color;
  if (contrast(words) < 7) faults.push(`words in ${words} on ${paper}`);

  const plots = [...document.querySelectorAll("svg.plot")];
  for (const svg of plots) {
    const title = svg.querySelector("title")?.textContent ?? "";
    const say = (fault) => faults.push(`picture "${title}": ${fault}`);
    const box = svg.getBoundingClientRect();
    if (box.width < 150 || box.height < 80) say(`is ${box.width} x ${box.height}`);
    if (svg.getAttribute("role") !== "img" || !title) say("has no name");
    if (!/\d/.test(svg.querySelector("desc")?.textContent ?? "")) say("does not say what it shows");
    const marks = [...svg.querySelectorAll("circle, polygon, polyline[stroke-width='14']")];
    const seen = marks.filter((mark) => mark.getBoundingClientRect().width >= 3);
    if (seen.length === 0) say("shows nothing");
    for (const mark of marks) {
      const style = getComputedStyle(mark);
      const colour = style.fill === "none" ? style.stroke : style.fill;
      if (contrast(colour) < 1.5) say(`a marker in ${colour} on ${paper}`);
    }
    const texts = [...svg.querySelectorAll("text")].map((text) => [text, text.getBoundingClientRect()]);
    if (texts.length < 3) say("has no words at its axes");
    for (const [text, at] of texts) {
      const word = `"${text.textContent}"`;
      if (Math.min(at.width, at.height) < 8 && text.textContent.length > 1) say(`${word} is too small to read`);
      const inside = at.left >= box.left - 1 && at.right <= box.right + 1 && at.top >= box.top - 1 && at.bottom <= box.bottom + 1;
      if (!inside) say(`${word} is cut off`);
      const colour = getComputedStyle(text).fill;
      if (contrast(colour) < 4.5) say(`${word} in ${colour} on ${paper}`);
      for (const [other, there] of texts) {
        const apart = at.right <= there.left + 1 || there.right <= at.left + 1 || at.bottom <= there.top + 3 || there.bottom <= at.top + 3;
        if (other !== text && !apart) say(`${word} lies on "${other.textContent}"`);
      }
    }
  }
  for (const svg of document.querySelectorAll("svg:not(.plot)"))
    if (svg.getAttribute("aria-hidden") !== "true") faults.push(`${name(svg)} is neither named nor hidden`);
  for (const e of performance.getEntriesByType("resource")) faults.push(`fetches ${e.name}`);

  return { faults: [...new Set(faults)], plots: plots.length, paper: light(paper) };
})();
