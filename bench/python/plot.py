"""Draw the pictures of docs/benchmarks.md from the times that benchmarks have written with --json.

python bench/python/plot.py                  # bench/results/*.json -> docs/images/*.svg
"""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt
from matplotlib.ticker import LogLocator, NullFormatter

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "bench/results"
IMAGES = ROOT / "docs/images"

OURS = "#c8452d"
PEERS = ["#3d5a80", "#7a9cc6", "#9aa0a6"]


def read(name: str) -> tuple[str, dict[str, dict[str, float]]]:
    """Environment and microseconds of one benchmark."""
    found = json.loads((RESULTS / f"{name}.json").read_text())
    return found["environment"], found["microseconds"]


def save(figure: plt.Figure, name: str) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    figure.savefig(IMAGES / f"{name}.svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def time_and_speedup(
    name: str, title: str, cases: dict[str, tuple[str, str, str]], ours: str, peers: dict[str, str]
) -> None:
    """Time against n, both axes logarithmic, and how many times faster we are than each peer."""
    _, times = read(name)
    sizes = sorted(int(size) for size in times if size.isdigit())
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    for case, (label, colour, style) in cases.items():
        left.plot(sizes, [times[str(n)][case] for n in sizes], style, color=colour, label=label)
    left.set(xscale="log", yscale="log", xlabel="n = m", ylabel="microseconds per problem", title=title)
    highest = 0.0
    for case, label in peers.items():
        ratios = [times[str(n)][case] / times[str(n)][ours] for n in sizes]
        highest = max(highest, *ratios)
        right.plot(sizes, ratios, cases[case][2], color=cases[case][1], label=f"to {label}")
    right.axhline(1, color="#444444", linewidth=0.8)
    right.set(
        xscale="log", yscale="log", xlabel="n = m", ylabel="times faster", title=f"{cases[ours][0]} against peers"
    )
    ticks = [t for t in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000) if t < 1.5 * highest]
    right.set_yticks(ticks, labels=map(str, ticks))
    for axes in (left, right):
        axes.set_xticks(sizes, labels=map(str, sizes))
        axes.minorticks_off()
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    save(figure, name)


def intervals() -> None:
    """Ends of the proved interval against epsilon, and its width against iterations."""
    figures = json.loads((RESULTS / "intervals.json").read_text())["microseconds"]
    keys = [key.split() for key in figures]
    epsilons = list(dict.fromkeys(epsilon for epsilon, _ in keys))
    iterations = list(dict.fromkeys(int(count) for _, count in keys))
    last = iterations[-1]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    x = [float(epsilon) for epsilon in epsilons]
    for end, label, colour in (("upper", "upper bound above", PEERS[0]), ("lower", "lower bound below", OURS)):
        left.plot(x, [figures[f"{e} {last}"][end] for e in epsilons], "o-", color=colour, label=label)
    left.plot(
        x, [figures[f"{e} {last}"]["value"] for e in epsilons], "--", color=PEERS[2], label="entropic value above"
    )
    left.set(
        xscale="log", yscale="log", xlabel="epsilon / median cost", ylabel="% of the exact value",
        title="Distance from the exact value, converged",
    )  # fmt: skip
    left.set_xticks(x, labels=epsilons)
    for k, epsilon in enumerate(["0.2", "0.05", "0.02", "0.005"]):
        widths = [
            figures[f"{epsilon} {count}"]["lower"] + figures[f"{epsilon} {count}"]["upper"] for count in iterations
        ]
        shade = plt.get_cmap("viridis")(0.1 + 0.25 * k)
        right.plot([max(count, 0.5) for count in iterations[:-1]], widths[:-1], "o-", color=shade, label=f"{epsilon}")
    right.set(
        xscale="log", yscale="log", xlabel="iterations at the most", ylabel="width, % of the exact value",
        title="Width of the interval, by epsilon",
    )  # fmt: skip
    shown = [0.5, 1, 10, 100, 500]
    right.set_xticks(shown, labels=["0", "1", "10", "100", "500"])
    for axes in (left, right):
        axes.minorticks_off()
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    save(figure, "intervals")


def prefilters() -> None:
    """Share of the true top 10 found against candidates fetched."""
    _, shares = read("prefilters")
    sets = list(dict.fromkeys(key.split(": ")[0] for key in shares))
    figure, panels = plt.subplots(2, 3, figsize=(10, 5.6), layout="constrained", sharex=True, sharey=True)
    clusters = plt.get_cmap("viridis")
    styles = {
        "one pooled vector": (PEERS[0], "o-"),
        "2 clusters": (clusters(0.35), "^-"),
        "4 clusters": (clusters(0.55), "^-"),
        "8 clusters": (clusters(0.75), "^-"),
        "fixed-dimensional": (PEERS[2], "s--"),
        "reused-potential bound": (OURS, "o-"),
    }
    for axes, name in zip(panels.flat, sets, strict=True):
        for method, (colour, style) in styles.items():
            found = shares.get(f"{name}: {method}")
            if found:
                axes.plot(
                    [int(c) for c in found], list(found.values()), style, color=colour, label=method, markersize=4
                )
        axes.set(xscale="log", title=name)
        axes.set_xticks([10, 100, 1000], labels=["10", "100", "1000"])
        axes.minorticks_off()
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[:, 0]:
        axes.set_ylabel("% of the true top 10")
    for axes in panels[1]:
        axes.set_xlabel("candidates")
    panels[0, 1].legend(frameon=False, fontsize=8)
    save(figure, "prefilters")


def first_stage() -> None:
    """Share of the true top 10 of SciFact against candidates, and against the time of a search."""
    _, found = read("first_stage_real")
    measures = [name for name in ("WRD, capacity 4", "MaxSim", "WRD", "WMD") if f"scifact, {name}, tokens" in found]
    figure, panels = plt.subplots(
        2, len(measures), figsize=(10, 5.6), layout="constrained", sharey=True, sharex="row", squeeze=False
    )
    styles = {"pooled": (PEERS[0], "o-"), "4 clusters": (plt.get_cmap("viridis")(0.55), "^-"), "tokens": (OURS, "s-")}
    for column, measure in enumerate(measures):
        for prefilter, (colour, style) in styles.items():
            own = found[f"scifact, {measure}, {prefilter}"]
            shares = [100 * point["share"] for point in own.values()]
            times = [point["median"] for point in own.values()]
            for axes, x in zip(panels[:, column], ([int(count) for count in own], times), strict=True):
                axes.plot(x, shares, style, color=colour, label=prefilter, markersize=4)
        upper, lower = panels[:, column]
        upper.set(xscale="log", xlabel="candidates", title=measure)
        upper.set_xticks([10, 30, 100, 300, 1000], labels=["10", "30", "100", "300", "1000"])
        lower.set(xscale="log", xlabel="milliseconds, two threads")
        lower.set_xticks([2, 5, 10, 20, 50, 100], labels=["2", "5", "10", "20", "50", "100"])
    for axes in panels.flat:
        axes.minorticks_off()
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[:, 0]:
        axes.set_ylabel("% of the true top 10")
    panels[0, 0].legend(frameon=False, fontsize=8, loc="lower right")
    save(figure, "first-stage")


def late_interaction() -> None:
    """Recall of MaxSim's top 10 against queries per second of one thread, for sets where others were measured, too."""
    _, found = read("late_interaction")
    titles = {"generated-10000": "10 000 generated documents", "scifact-1000": "1000 abstracts of SciFact"}
    figure, panels = plt.subplots(1, len(titles), figsize=(10, 3.9), layout="constrained", sharey=True)
    lines = {
        "moverank-float16": (OURS, "o-", "moverank, float16"),
        "moverank-int8": ("#e39a86", "o-", "moverank, int8"),
        "moverank-int4": ("#e39a86", "o:", "moverank, int4"),
        "moverank-int2": ("#e39a86", "x:", "moverank, int2"),
        "pylate": (PEERS[0], "s-", "PLAID of PyLate, 4 bits"),
        "fast-plaid-4": (PEERS[1], "s:", "fast-plaid, 4 bits"),
        "fast-plaid-8": (PEERS[1], "s-", "fast-plaid, 8 bits"),
        "xtr-warp-rs-4": (PEERS[2], "s-", "xtr-warp-rs, 4 bits"),
    }
    for axes, name in zip(panels, titles, strict=True):
        for system, (colour, style, label) in lines.items():
            own = found.get(f"{name}, {system}, 1")
            if own:
                x = [point["per_second"] for point in own["curve"]]
                y = [100 * point["recall"] for point in own["curve"]]
                axes.plot(x, y, style, color=colour, label=label)
        axes.set(xscale="log", xlabel="queries per second, one thread", title=titles[name])
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("recall@10, %")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, fontsize=8, loc="outside lower center", ncols=4)
    save(figure, "late-interaction")


def documents() -> None:
    """Microseconds per document, WRD and MaxSim side by side."""
    _, times = read("distances")
    figure, panels = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained")
    labels = {"loop": "POT, documented loop", "product": "one matrix product + POT's C++ entry", "moverank": "moverank"}
    maxsim_labels = {"product": "numpy product", "maxsim-cpu": "maxsim-cpu", "moverank": "moverank"}
    for axes, measure, names in zip(panels, ("WRD", "MaxSim"), (labels, maxsim_labels), strict=True):
        rows = [row for row in times if row.startswith(measure)]
        for k, (case, label) in enumerate(names.items()):
            colour = OURS if case == "moverank" else PEERS[k]
            places = [i + 0.27 * (k - 1) for i, row in enumerate(rows) if case in times[row]]
            values = [times[row][case] for row in rows if case in times[row]]
            bars = axes.barh(places, values, height=0.25, color=colour, label=label)
            axes.bar_label(bars, fmt="%.3g", padding=2, fontsize=8)
        axes.set(title=f"{measure}: microseconds per document")
        axes.set_yticks(range(len(rows)), labels=[row.removeprefix(f"{measure} ") for row in rows])
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=3)
    save(figure, "distances")


def main() -> None:
    mpl.rcParams.update({"font.size": 9, "svg.hashsalt": "moverank", "lines.markersize": 4})
    time_and_speedup(
        "exact",
        "exact transport, cost given, one core",
        {
            "emd2": ("POT emd2", PEERS[0], "o-"),
            "emd_c": ("POT, bare C++ entry", PEERS[1], "o--"),
            "transport": ("moverank.transport", OURS, "s--"),
            "batch": ("moverank.transport_batch", OURS, "s-"),
        },
        "batch",
        {"emd2": "POT emd2", "emd_c": "POT, bare C++ entry"},
    )
    time_and_speedup(
        "assignment",
        "equal sizes, uniform mass, one core",
        {
            "scipy": ("scipy", PEERS[0], "o-"),
            "lapjvr": ("lapx lapjvr_batch", PEERS[1], "o--"),
            "lapjvh": ("lapx lapjvh_batch", PEERS[2], "o:"),
            "batch": ("moverank.transport_batch", OURS, "s-"),
        },
        "batch",
        {"scipy": "scipy", "lapjvr": "lapx lapjvr_batch", "lapjvh": "lapx lapjvh_batch"},
    )
    time_and_speedup(
        "sinkhorn",
        "entropic transport, cost given, one core",
        {
            "sinkhorn": ("POT sinkhorn", PEERS[0], "o-"),
            "sinkhorn_log": ("POT sinkhorn_log", PEERS[1], "o--"),
            "exact": ("moverank, exact", PEERS[2], "s--"),
            "certified": ("moverank, entropic with interval", OURS, "s-"),
        },
        "certified",
        {"sinkhorn": "POT sinkhorn", "sinkhorn_log": "POT sinkhorn_log", "exact": "our own exact solve"},
    )
    intervals()
    prefilters()
    first_stage()
    late_interaction()
    documents()


if __name__ == "__main__":
    main()
