for (const root of document.querySelectorAll(".moverank:not([data-ready])")) {
  root.dataset.ready = "1";
  const moves = JSON.parse(root.querySelector("script[type='application/json']").textContent);
  const sides = ["query", "document"].map((side) => [...root.querySelectorAll(`.${side} .token`)]);
  const links = root.querySelector("svg.links");
  const said = root.querySelector(".said");
  const hint = said.textContent;
  const percent = (share) => (share < 0.0095 ? "<1 %" : `${Math.round(100 * share)} %`);
  const text = (token) => `“${token.dataset.token}”`;

  function clear() {
    root.classList.remove("busy");
    for (const token of root.querySelectorAll(".on, .met")) {
      token.classList.remove("on", "met");
      token.querySelector(".share")?.remove();
    }
    links.replaceChildren();
    said.textContent = hint;
  }

  function show(side, place) {
    clear();
    const token = sides[side][place];
    const own = moves.filter((move) => move[side] === place).sort((x, y) => y[2] - x[2]);
    const total = Number(token.dataset.mass);
    root.classList.add("busy");
    token.classList.add("on");
    const frame = root.getBoundingClientRect();
    for (const [source, target, mass, cost, colour, planned] of own) {
      const other = sides[1 - side][side === 0 ? target : source];
      other.classList.add("met");
      const share = document.createElement("span");
      share.className = "share";
      share.textContent = percent(mass / total);
      other.append(share);
      const [from, to] = [sides[0][source], sides[1][target]].map((each) => each.getBoundingClientRect());
      const x1 = from.left + from.width / 2 - frame.left, y1 = from.bottom - frame.top;
      const x2 = to.left + to.width / 2 - frame.left, y2 = to.top - frame.top;
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      const bend = (y2 - y1) / 2;
      path.setAttribute("d", `M${x1},${y1} C${x1},${y1 + bend} ${x2},${y2 - bend} ${x2},${y2}`);
      path.setAttribute("stroke", colour);
      path.setAttribute("stroke-width", Math.max(1.2, (8 * mass) / total));
      if (planned === 0) path.classList.add("other");
      links.append(path);
    }
    const best = own[0];
    if (!best) {
      said.textContent = `${text(token)}: no mass moves here; the query does not need it.`;
    } else {
      const met = own.slice(0, 3).map((move) => {
        const other = sides[1 - side][move[1 - side]];
        const planned = move.length > 5 ? ` (without noise ${percent(move[5] / total)})` : "";
        return `${text(other)} ${percent(move[2] / total)}${planned} at cost ${move[3].toFixed(3)}`;
      });
      const more = own.length > 3 ? ` and ${own.length - 3} more` : "";
      said.textContent = `${text(token)} ${side === 0 ? "→" : "←"} ${met.join(", ")}${more}`;
    }
  }

  sides.forEach((tokens, side) =>
    tokens.forEach((token, place) => {
      token.addEventListener("pointerenter", () => show(side, place));
      token.addEventListener("focus", () => show(side, place));
      token.addEventListener("blur", clear);
    }),
  );
  root.addEventListener("pointerleave", clear);
}
