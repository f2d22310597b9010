"""Draw the pictures of docs/benchmarks.md from the times that benchmarks have written with --json.

python bench/python/plot.py                  # bench/results/*.json -> docs/images/*.svg
"""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

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
    sizes = sorted(int(size) for size in times if "x" not in size)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    for case, (label, colour, style) in cases.items():
        left.plot(sizes, [times[str(n)][case] for n in sizes], style, color=colour, label=label)
    left.set(xscale="log", yscale="log", xlabel="n = m", ylabel="microseconds a problem", title=title)
    for case, label in peers.items():
        ratios = [times[str(n)][case] / times[str(n)][ours] for n in sizes]
        right.plot(sizes, ratios, cases[case][2], color=cases[case][1], label=f"to {label}")
    right.axhline(1, color="#444444", linewidth=0.8)
    right.set(
        xscale="log", yscale="log", xlabel="n = m", ylabel="times faster", title=f"{cases[ours][0]} against peers"
    )
    right.set_yticks([1, 2, 5, 10, 20, 50], labels=["1", "2", "5", "10", "20", "50"])
    for axes in (left, right):
        axes.set_xticks(sizes, labels=map(str, sizes))
        axes.minorticks_off()
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    save(figure, name)


def documents() -> None:
    """Microseconds a document, WRD and MaxSim side by side."""
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
        axes.set(title=f"{measure}: microseconds a document")
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
    documents()


if __name__ == "__main__":
    main()
